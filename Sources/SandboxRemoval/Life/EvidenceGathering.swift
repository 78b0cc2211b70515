internal import NodeObservation
internal import SandboxRegistry

/// What a helper says of a container's state directory, without executing the runtime.
struct RuntimeLook: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// A helper of protocol version 1 does not read it.
        case notRead
        case unreadable
        /// pid 0: none. Cgroups are absolute directories.
        case read(pid: Int32, startTime: UInt64, cgroups: [String])
    }

    /// nil: there is none.
    var directory: FileIdentity?
    var state = State.notRead
}

extension ContainerEvidence {
    /// Looks at the node, without privilege: processes through pidfds, and cgroups by their identities.
    ///
    /// - Parameters:
    ///   - look: What a helper says of the runtime's state; nil: none was asked.
    ///   - isOwn: Whether that state is the recorded container's.
    ///   - named: Cgroups that have the container's name.
    ///   - sharers: Other containers in, beneath or above the container's cgroups.
    ///   - mounts: The node's, for the search; nil: no search is made.
    ///   - cgroupRoots: Where pods' cgroups lie.
    ///   - briefly: Whether a living init is enough, so that its cgroups need not be read.
    static func gather(
        _ container: Container, look: RuntimeLook? = nil, isOwn: Bool = false, named: [String] = [],
        sharers: [CgroupSharer] = [], mounts: MountTable? = nil, cgroupRoots: [String] = [], briefly: Bool = false
    ) throws(ObservationError) -> ContainerEvidence {
        var evidence = ContainerEvidence()
        if let process = container.process, process.startTime != 0 {
            let life = try ProcessLife.of(
                pid: process.pid, startTime: process.startTime, inode: container.identity.processInode)
            evidence.recorded = .seen(process, life)
        }
        var cgroups = container.cgroups.map { (path: $0, identity: container.identity.cgroups[$0]) }
        if let look {
            evidence.runtime = try runtimeRecord(look, isOwn: isOwn)
            if isOwn { evidence.stateDirectory = look.directory }
            if isOwn, case .read(_, _, let paths) = look.state { cgroups.append(besides: paths) }
        }
        cgroups.append(besides: named)
        if briefly, evidence.livingInit != nil {
            evidence.cgroups = cgroups.map { path, identity in
                OwnCgroup(
                    path: path, identity: identity, state: .notLooked,
                    sharers: sharers.filter { $0.path == path }.map(\.container))
            }
            return evidence
        }
        // Only where something is shared or nothing is known: it takes a look at the whole mount table.
        let search =
            cgroups.isEmpty || !sharers.isEmpty ? mounts.map { ContainerSearch(container, cgroupRoots, $0) } : nil
        for (path, identity) in cgroups {
            let sharers = sharers.filter { $0.path == path }
            var own = try cgroup(path, identity, sharers.map(\.container), search)
            own.heirs = sharers.filter { isBeneath(path, $0.theirs) }.map(\.container)
            if let look, sharers.contains(where: { $0.container == look.stranger(container) }) {
                try look.tellApart(&own, sharers)
            }
            evidence.cgroups.append(own)
        }
        if cgroups.isEmpty, let search {
            evidence.search = try search.processes().map { .found($0) } ?? .hidden
        }
        return evidence
    }

    private static func runtimeRecord(
        _ look: RuntimeLook, isOwn: Bool
    ) throws(ObservationError) -> RuntimeRecord {
        guard look.directory != nil else { return .absent }
        guard isOwn else { return .ofAnother }
        switch look.state {
        case .notRead: return .notAsked
        case .unreadable: return .unreadable
        case .read(let pid, _, _) where pid <= 0: return .read(nil, nil)
        case .read(let pid, let startTime, _):
            let life = try ProcessLife.of(pid: pid, startTime: startTime)
            return .read(ProcessReference(pid: pid, startTime: startTime), life)
        }
    }

    private static func cgroup(
        _ path: String, _ recorded: FileIdentity?, _ sharers: [String], _ search: ContainerSearch?
    ) throws(ObservationError) -> OwnCgroup {
        var own = OwnCgroup(path: path, identity: recorded, state: .gone, sharers: sharers)
        do throws(ObservationError) {
            guard let found = try Cgroup.identity(of: path).map({ FileIdentity(device: $0.device, inode: $0.inode) }),
                recorded == nil || recorded == found
            else { return own }
            own.identity = found
            let members = try Cgroup.members(of: [path])
            own.state = .there(members)
            if !sharers.isEmpty, let search { own.ownMembers = try search.owned(of: members) }
        } catch {
            own.state = .unreadable("\(error)")
        }
        return own
    }
}

extension RuntimeLook {
    /// What another container is called that has this one's id by now.
    func stranger(_ container: Container) -> String { "another container \(container.id)" }

    /// Who has the container's id by now has its cgroup and its places too. What is older than that one's init, and in no cgroup of
    /// another's beneath, is the container's own.
    fileprivate func tellApart(
        _ own: inout ContainerEvidence.OwnCgroup, _ sharers: [CgroupSharer]
    ) throws(ObservationError) {
        guard case .there(let pids) = own.state, !pids.isEmpty else { return }
        guard case .read(_, let startTime, _) = state else {
            own.state = .unreadable("the state of another container that has its id is damaged")
            return
        }
        let beneath = sharers.map(\.theirs).filter { [path = own.path] in $0 != path && isBeneath(path, $0) }
        let others = Set(try Cgroup.members(of: beneath))
        own.ownMembers = []
        for pid in pids where !others.contains(pid) {
            let isElder = try ProcessStatus.startTime(of: pid).map { $0 < startTime } ?? true
            if isElder { own.ownMembers.append(pid) }
        }
    }
}

extension ContainerSearch {
    init(_ container: Container, _ cgroupRoots: [String], _ mounts: MountTable) {
        self.init(
            id: container.id, directories: container.directories.map(\.path), cgroupRoots: cgroupRoots, in: mounts)
    }
}

extension [(path: String, identity: FileIdentity?)] {
    /// Those that are not in it yet; their identities are not recorded.
    fileprivate mutating func append(besides paths: [String]) {
        for path in paths where !contains(where: { $0.path == path }) { append((path, nil)) }
    }
}

extension FileIdentity {
    /// Of what has no birth: a cgroup.
    init(device: UInt64, inode: UInt64) { self.init(device: device, inode: inode, birth: 0) }
}
