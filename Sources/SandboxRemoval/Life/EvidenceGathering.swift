internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

/// What a helper reports of a container's state directory, without executing the runtime.
struct RuntimeLook: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// A helper of protocol version 1 does not read the state.
        case notRead
        case unreadable
        /// `pid` is 0 if the state names no process. `cgroups` are absolute paths of directories.
        case read(pid: Int32, startTime: UInt64, cgroups: [String])
    }

    /// The state directory's identity; nil if there is none.
    var directory: FileIdentity?
    var state = State.notRead
    /// The absolute path of the container's bundle; nil if the state does not tell.
    var bundle: String?

    /// The container that the state describes, for the search of another one that had the same id.
    var namesake: ContainerSearch.Namesake? {
        guard case .read(_, let startTime, let cgroups) = state, startTime > 0 else { return nil }
        return ContainerSearch.Namesake(cgroups: cgroups, startTime: startTime)
    }
}

extension ContainerEvidence {
    /// Gathers evidence on the node without privilege: processes by pidfds, and cgroups by their identities.
    ///
    /// - Parameters:
    ///   - look: What a helper reports of the runtime's state; nil if none was asked.
    ///   - isOwn: Whether that state is the recorded container's.
    ///   - named: Cgroups that are named after the container.
    ///   - sharers: Other containers in, beneath or above the container's cgroups.
    ///   - mounts: The node's mounts, for the search; nil to make no search.
    ///   - cgroupRoots: The directories beneath which pods' cgroups lie.
    ///   - briefly: Whether a living init process is enough evidence, so that its cgroups need not be read.
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
            evidence.runtime = try runtimeRecord(look, isOwn: isOwn, evidence.recorded)
            if isOwn { evidence.stateDirectory = look.directory }
            if isOwn, case .read(_, _, let paths) = look.state {
                // A container that was made anew from its bundle has cgroups that were made anew.
                if let recorded = container.identity.stateDirectory, recorded != look.directory {
                    cgroups.removeAll { paths.contains($0.path) }
                }
                cgroups.append(besides: paths)
            }
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
        // Prepared only if a cgroup is shared or none is known, because it takes a scan of the whole mount table.
        let search =
            cgroups.isEmpty || !sharers.isEmpty
            ? mounts.map {
                ContainerSearch(container, cgroupRoots, $0, byPath: ContainerSearch.goesByPath(isOwn: isOwn, look))
            } : nil
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
            evidence.search = try search.processes(besides: isOwn ? nil : look?.namesake).map { .found($0) } ?? .hidden
        }
        return evidence
    }

    private static func runtimeRecord(
        _ look: RuntimeLook, isOwn: Bool, _ recorded: Init
    ) throws(ObservationError) -> RuntimeRecord {
        guard look.directory != nil else { return .absent }
        guard isOwn else { return .ofAnother }
        switch look.state {
        case .notRead: return .notAsked
        case .unreadable: return .unreadable
        case .read(let pid, _, _) where pid <= 0: return .read(nil, nil)
        case .read(let pid, let startTime, _):
            let process = ProcessReference(pid: pid, startTime: startTime)
            // As a rule it is the recorded one, which has just been looked at.
            if case .seen(process, let life) = recorded { return .read(process, life) }
            return .read(process, try ProcessLife.of(pid: pid, startTime: startTime))
        }
    }

    private static func cgroup(
        _ path: String, _ recorded: FileIdentity?, _ sharers: [String], _ search: ContainerSearch?
    ) throws(ObservationError) -> OwnCgroup {
        var own = OwnCgroup(path: path, identity: recorded, state: .gone, sharers: sharers)
        do throws(ObservationError) {
            guard let found = try Cgroup.fileIdentity(of: path) else { return own }
            guard recorded == nil || recorded == found else {
                own.state = .replaced
                return own
            }
            own.identity = found
            let members = try Cgroup.members(of: [path])
            own.state = .there(members)
            if !sharers.isEmpty, let search {
                own.ownMembers = try search.owned(of: members).map(ProcessReference.init)
            }
        } catch {
            own.state = .unreadable("\(error)")
        }
        return own
    }
}

extension RuntimeLook {
    /// The name for another container that now has this container's id.
    func stranger(_ container: Container) -> String { "another container \(container.id)" }

    /// Tells apart the processes of this container and of a new one with the same id, cgroup and paths. This
    /// container's are older than the new init process, and in no cgroup of a sharer beneath.
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
            let began = try ProcessStatus.startTime(of: pid)
            if began.map({ $0 < startTime }) ?? true {
                own.ownMembers.append(ProcessReference(pid: pid, startTime: began ?? 0))
            }
        }
    }
}

extension Cgroup {
    /// A cgroup's identity as the registry has it; nil if there is no such cgroup.
    static func fileIdentity(of path: String) throws(ObservationError) -> FileIdentity? {
        try identity(of: path).map { FileIdentity(device: $0.device, inode: $0.inode) }
    }
}

extension ContainerSearch {
    /// Whether what lies at the paths of a container's directories is its own. Another container that has the id by now
    /// may have its paths, too.
    ///
    /// - Parameter isOwn: Whether the state that the runtime has under the id is this container's.
    static func goesByPath(isOwn: Bool, _ look: RuntimeLook?) -> Bool { isOwn || look?.directory == nil }

    /// - Parameter byPath: Whether what lies at the paths of the container's directories is taken for its own.
    init(_ container: Container, _ cgroupRoots: [String], _ mounts: MountTable, byPath: Bool = true) {
        var identities: [String: Identity] = [:]
        for directory in container.directories {
            guard let recorded = directory.identity else { continue }
            identities[directory.path] = Identity(inode: recorded.inode, birth: recorded.birth)
        }
        self.init(
            id: container.id, directories: byPath ? container.directories.map(\.path) : [], identities: identities,
            cgroupRoots: cgroupRoots, in: mounts)
    }
}

extension [(path: String, identity: FileIdentity?)] {
    /// Appends the paths that are not listed yet, without a recorded identity.
    fileprivate mutating func append(besides paths: [String]) {
        for path in paths where !contains(where: { $0.path == path }) { append((path, nil)) }
    }
}

extension FileIdentity {
    /// The identity of a cgroup, which has no birth time.
    init(device: UInt64, inode: UInt64) { self.init(device: device, inode: inode, birth: 0) }
}
