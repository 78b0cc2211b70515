internal import HelperProtocol

extension Broker {
    /// Signals the processes in a container's cgroups without its runtime. All cgroups are checked before the first
    /// signal.
    func kill(
        _ target: RuntimeTarget, _ intent: Intent<NodeIdentity>, _ signal: UInt8, in cgroups: [CgroupTarget],
        _ milliseconds: UInt32
    ) throws(Outcome) -> Answer {
        let deadline = Deadline(milliseconds: milliseconds)
        let state = try containerFacts(target)
        if case .act(let only?) = intent, let state, state.directory != only { throw .refused(.identityMismatch) }
        let others = try otherContainers(target, deadline)
        // A cgroup that appears after this was not checked and so is not signalled: the number of a new cgroup can be
        // predicted.
        var checked: [CgroupTarget] = []
        for cgroup in cgroups {
            guard try open(cgroup).isOpen else { continue }
            try check(cgroup, target.id, state, others)
            checked.append(cgroup)
        }
        if intent == .look {
            guard let state else { return Answer(.alreadyDone) }
            return Answer(.done, .container(state))
        }
        var count: UInt64 = 0
        var continues = false
        var outcome = Outcome.alreadyDone
        for cgroup in checked {
            let directory = try open(cgroup)
            guard directory.isOpen else { continue }
            let verb = RuntimeVerb.signalCgroup(
                signal: signal, isExclusive: cgroup.isExclusive, continues: continues)
            continues = true
            let left = UInt32(max(1, deadline.remaining))
            let end = try command(RuntimeCommand(verb, id: nil, milliseconds: left), target.runtime, directory, .none)
            count += UInt64(end.count)
            switch (outcome, end.how) {
            case (.failed, _): break
            case (_, _) where end.status != 0:
                outcome = Outcome(errno: end.status, .signal, detail: cgroup.place.names)
            case (_, .timedOut): outcome = .inProgress
            case (.alreadyDone, _) where end.count > 0: outcome = .done
            default: break
            }
        }
        return outcome == .alreadyDone ? Answer(outcome) : Answer(outcome, .count(count))
    }

    /// Signals processes of a container in a cgroup that others have too, and no other process.
    func kill(
        _ target: RuntimeTarget, _ intent: Intent<NodeIdentity>, _ signal: UInt8, _ targets: ProcessTargets,
        _ milliseconds: UInt32
    ) throws(Outcome) -> Answer {
        let state = try containerFacts(target)
        if case .act(let only?) = intent, let state, state.directory != only { throw .refused(.identityMismatch) }
        let cgroup = CgroupTarget(place: targets.place, identity: targets.identity, isExclusive: false)
        let directory = try open(cgroup)
        if directory.isOpen {
            try checkOwner(of: cgroup, target.id, state)
            for other in try otherContainers(target, Deadline(milliseconds: milliseconds)) {
                for process in targets.processes where process.pid == other.pid {
                    throw .refused(.cgroupShared, detail: cgroup.place.names)
                }
            }
        }
        if intent == .look {
            guard let state else { return Answer(.alreadyDone) }
            return Answer(.done, .container(state))
        }
        guard directory.isOpen else { return Answer(.alreadyDone) }
        let command = RuntimeCommand(
            .signalProcesses(signal: signal), id: nil, processes: targets.processes, milliseconds: milliseconds)
        let end = try self.command(command, target.runtime, directory, .none)
        if end.status != 0 {
            return Answer(Outcome(errno: end.status, .signal, detail: cgroup.place.names), .count(UInt64(end.count)))
        }
        return end.count > 0 ? Answer(.done, .count(UInt64(end.count))) : Answer(.alreadyDone)
    }

    /// Opens the cgroup that a request names; `none` if it is gone.
    private func open(_ cgroup: CgroupTarget) throws(Outcome) -> Descriptor {
        _ = try policy.root(of: cgroup.place, for: .signal)
        return try privileges.raised([.dacOverride]) { () throws(Outcome) -> Descriptor in
            do throws(Outcome) {
                let parent = try cgroup.place.openParent(in: policy)
                let directory = try parent.open(cgroup.place.name.terminated, .pathOfDirectory)
                guard try directory.isCgroup() else { throw .refused(.notCgroup, detail: cgroup.place.names) }
                guard try directory.status().identity == cgroup.identity
                else { throw .refused(.identityMismatch, detail: cgroup.place.names) }
                return directory
            } catch {
                if error.isMissingEntry { return .none }
                throw error.asResolution
            }
        }
    }

    /// Throws unless the processes of a cgroup may be signalled: the cgroup must belong to the container, or its root
    /// must allow killing; and no other living container of the runtime may have it.
    private func check(
        _ cgroup: CgroupTarget, _ id: ContainerID, _ state: ContainerFacts?, _ others: [ContainerFacts]
    ) throws(Outcome) {
        let root = try policy.root(of: cgroup.place, for: .signal)
        let hierarchy = try root.path.mountAbove()
        let path = root.path.array + [0x2f] + cgroup.place.names
        for other in others {
            for named in other.cgroupPaths(in: hierarchy) {
                let isShared = cgroup.isExclusive && (path.isBeneath(named) || named.isBeneath(path))
                if isShared || path == named { throw .refused(.cgroupShared, detail: cgroup.place.names) }
            }
        }
        try checkOwner(of: cgroup, id, state)
    }

    /// Throws unless a cgroup is the container's, or its root allows killing.
    private func checkOwner(
        of cgroup: CgroupTarget, _ id: ContainerID, _ state: ContainerFacts?
    ) throws(Outcome) {
        let root = try policy.root(of: cgroup.place, for: .signal)
        if root.mayKill { return }
        let hierarchy = try root.path.mountAbove()
        let path = root.path.array + [0x2f] + cgroup.place.names
        if let state, state.isUnderstood {
            for named in state.cgroupPaths(in: hierarchy)
            where named.isBeneath(root.path.array) && (path == named || path.isBeneath(named)) { return }
        } else if state != nil {
            // Nobody can read the state, so one of the place's names must be one that an engine gives to this
            // container's cgroup.
            for name in cgroup.place.names.split(separator: 0x2f) where id.isBorne(by: name) { return }
        }
        throw .refused(.cgroupNotContainers, detail: cgroup.place.names)
    }

    /// The facts from the states of the runtime's other living containers.
    private func otherContainers(_ target: RuntimeTarget, _ deadline: Deadline) throws(Outcome) -> [ContainerFacts] {
        var living: [ContainerFacts] = []
        for id in try containers(target.runtime) where id != target.id {
            if deadline.isPast { throw .timedOut }
            let other = RuntimeTarget(runtime: target.runtime, id: id)
            if let facts = try containerFacts(other), try facts.processLives() { living.append(facts) }
        }
        return living
    }

    /// The containers that have a directory in a runtime's state root.
    private func containers(_ runtime: UInt8) throws(Outcome) -> [ContainerID] {
        let runtime = try self.runtime(runtime)
        return try privileges.raised([.dacOverride]) { () throws(Outcome) -> [ContainerID] in
            var ids: [ContainerID] = []
            do throws(Outcome) {
                let root = try runtime.openStateRoot(.directory)
                var entries = EntryReader()
                while let entry = try entries.next(root) {
                    guard entry.seemsDirectory, let id = try? ContainerID(entries.name(of: entry).array) else {
                        continue
                    }
                    guard ids.count < containerLimit else { throw Outcome(errno: ErrorNumber.tooMany, .getdents) }
                    ids.append(id)
                }
            } catch {
                if !error.isMissingEntry { throw error.asResolution }
            }
            return ids
        }
    }

    /// Removes a container's state directory without the runtime.
    func forget(_ target: RuntimeTarget, _ only: NodeIdentity, _ deadline: Deadline) throws(Outcome) -> Answer {
        let runtime = try runtime(target.runtime)
        guard let state = try containerFacts(target) else { return Answer(.alreadyDone) }
        guard state.directory == only else { throw .refused(.identityMismatch) }
        guard try !state.processLives() else { throw .refused(.containerLives) }
        if !runtime.seen.hooks, try hasPoststopHooks(target, runtime) { throw .refused(.hooksNotAllowed) }
        return try privileges.raised([.dacOverride, .fowner]) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let root = try runtime.openStateRoot()
                let directory = try root.open(target.id.bytes.terminated, .directory)
                guard try directory.status().identity == only else { throw .refused(.identityMismatch) }
                audit.begin()
                removal.begin(Slice(entries: forgottenEntries), deadline, onlyDirectories: false)
                let outcome = try removal.run(root, InlineBytes(target.id.bytes.array[...]) ?? InlineBytes(), directory)
                return Answer(outcome, .count(removal.removed))
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                throw error.asResolution
            }
        }
    }
}

/// How many containers of a runtime are examined; with more, the request fails.
private var containerLimit: Int { 4096 }
/// How many entries of a state directory one request removes. Runtimes create fewer than ten.
private var forgottenEntries: UInt32 { 1000 }

extension ContainerFacts {
    fileprivate var isUnderstood: Bool { state == .runc || state == .crun }

    /// The cgroups that the state names, as absolute paths. A path from crun lies beneath every hierarchy, so also
    /// beneath this one.
    fileprivate func cgroupPaths(in hierarchy: [UInt8]) -> [[UInt8]] {
        cgroups.map { state == .crun ? hierarchy + $0.path : $0.path }
    }
}

extension InlineBytes<256> {
    /// The nearest mount at or above this path. For a cgroup root, this is where its hierarchy is mounted.
    fileprivate func mountAbove() throws(Outcome) -> [UInt8] {
        var path = array
        while !path.isEmpty, try !Descriptor.status(absolute: (path + [0]).span).isMountRoot {
            path.removeSubrange((path.lastIndex(of: 0x2f) ?? 0)...)
        }
        return path
    }
}

extension ContainerID {
    /// Whether an engine gives a container's cgroup this name: ID, crio-ID, or PREFIX-ID.scope with the systemd driver.
    fileprivate func isBorne(by name: ArraySlice<UInt8>) -> Bool {
        let id = bytes.array
        if name.elementsEqual(id) || name.elementsEqual(text("crio-") + id) { return true }
        let end = [0x2d] + id + text(".scope")
        return name.count > end.count && name.suffix(end.count).elementsEqual(end)
    }
}

extension [UInt8] {
    /// Whether this path lies beneath another.
    fileprivate func isBeneath(_ path: [UInt8]) -> Bool {
        count > path.count && starts(with: path) && self[path.count] == 0x2f
    }
}
