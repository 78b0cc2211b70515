internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

/// Gathers the evidence of whether containers live. A helper reads the runtime's state once, before the first signal;
/// the node is observed each time.
final class LifeObserver: Sendable {
    /// Why evidence could not be gathered.
    typealias Failure = StepFailure

    /// What a helper reported of a container's state; it is asked once in a removal.
    struct Look: Sendable, Equatable {
        var runtime: RuntimeLook
        /// Whether the state is the recorded container's. The runtime is not called for another container's state.
        var isOwn: Bool
        /// Cgroups that are named after the container, if nothing else tells which cgroups it has.
        var named: [String] = []
    }

    private let registry: Registry
    private let roots: RootMap
    private let isAfterReboot: Bool
    private let mounts: MountTable
    /// Other containers that share each container's recorded cgroups, as read together with the records.
    private let sharers: [String: [CgroupSharer]]
    /// Containers that end in the same removal. Such a container shares a cgroup only while its init process lives.
    private let together: [String: Container]
    private let looks = Mutex<[String: Look]>([:])
    private let proven = Mutex<[String: ContainerEvidence]>([:])
    /// Containers that share a cgroup, or to which another container has left one.
    private let heirs: Mutex<Set<String>>

    init(
        registry: Registry, roots: RootMap, isAfterReboot: Bool, mounts: MountTable,
        sharers: [String: [CgroupSharer]] = [:], heirs: Set<String> = [], together: [Container] = []
    ) {
        self.registry = registry
        self.roots = roots
        self.isAfterReboot = isAfterReboot
        self.mounts = mounts
        self.sharers = sharers
        self.heirs = Mutex(heirs)
        self.together = together.reduce(into: [:]) { $0[$1.id] = $1 }
    }

    /// Gathers the evidence as it is now.
    ///
    /// - Parameter ask: Calls a helper, within the caller's deadline.
    func evidence(
        of container: Container, _ ask: (Request) async throws(StepFailure) -> Reply
    ) async throws(StepFailure) -> ContainerEvidence {
        let look = try await look(at: container, ask)
        return try await Threads.node.run { () throws(StepFailure) in
            try self.evidence(of: container, look, briefly: false)
        }
    }

    /// The evidence as it is now, and a handle of the init process that it says lives; its cgroups are not read then.
    /// nil instead of a handle if no init process lives, or if it has ended by now.
    func evidenceAndInit(
        of container: Container, _ ask: (Request) async throws(StepFailure) -> Reply
    ) async throws(StepFailure) -> (ContainerEvidence, KnownProcess?) {
        let look = try await look(at: container, ask)
        return try await Threads.node.run { () throws(StepFailure) in
            let evidence = try self.evidence(of: container, look, briefly: true)
            guard let process = evidence.livingInit else { return (evidence, nil) }
            let inode = process == container.process ? container.identity.processInode : nil
            let handle = try orFail { () throws(ObservationError) in
                try KnownProcess(pid: process.pid, startTime: process.startTime, inode: inode)
            }
            return (evidence, handle)
        }
    }

    /// Has a helper look at a container's state before it is needed. A failure is met again when it is.
    func prepare(_ container: Container, _ ask: (Request) async throws(StepFailure) -> Reply) async {
        _ = try? await look(at: container, ask)
    }

    /// The evidence that a container is gone, if this removal has found it. It stays valid, because no container comes
    /// back to life.
    func proof(of container: Container) -> ContainerEvidence? { proven.withLock { $0[container.id] } }

    /// The same cgroups with the processes in them that are known to be the container's by their root, whoever else has
    /// processes there.
    func withOwnMembers(
        of container: Container, _ cgroups: [ContainerEvidence.OwnCgroup]
    ) async throws(StepFailure) -> [ContainerEvidence.OwnCgroup] {
        let look = looks.withLock { $0[container.id] }
        let byPath = ContainerSearch.goesByPath(isOwn: look?.isOwn ?? false, look?.runtime)
        return try await Threads.node.run { [roots, mounts] () throws(StepFailure) in
            try orFail { () throws(ObservationError) in
                let search = ContainerSearch(container, roots.cgroupRoots.map(\.path), mounts, byPath: byPath)
                var found = cgroups
                for index in found.indices {
                    found[index].ownMembers = try search.owned(of: found[index].state.pids).map(ProcessReference.init)
                }
                return found
            }
        }
    }

    private func evidence(
        of container: Container, _ look: Look?, briefly: Bool
    ) throws(StepFailure) -> ContainerEvidence {
        if isAfterReboot { return try afterReboot(look) }
        let sharers = try sharers(of: container, look)
        if !sharers.isEmpty { heirs.withLock { _ = $0.insert(container.id) } }
        let evidence = try orFail { () throws(ObservationError) in
            var counted = look?.strangers(in: container) ?? []
            for sharer in sharers where try isThere(sharer) {
                if try lives(sharer.container) { counted.append(sharer) }
            }
            return try ContainerEvidence.gather(
                container, look: look?.runtime, isOwn: look?.isOwn ?? false, named: look?.named ?? [],
                sharers: counted, mounts: mounts, cgroupRoots: roots.cgroupRoots.map(\.path), briefly: briefly)
        }
        if evidence.verdict == .gone { proven.withLock { $0[container.id] = evidence } }
        return evidence
    }

    /// Asks the registry only for cgroups that were not in the records, because a read may wait for a disk.
    private func sharers(of container: Container, _ look: Look?) throws(StepFailure) -> [CgroupSharer] {
        let recorded = sharers[container.id]
        let others = (look?.cgroups ?? []).filter { recorded == nil || !container.cgroups.contains($0) }
        let paths = recorded == nil ? container.cgroups + others : others
        if paths.isEmpty { return recorded ?? [] }
        let found = try orFail { () throws(RegistryError) in try registry.sharers(of: paths, besides: container.id) }
        return (recorded ?? []) + found
    }

    /// Whether a sharer's cgroup is still the one that was recorded.
    private func isThere(_ sharer: CgroupSharer) throws(ObservationError) -> Bool {
        guard let recorded = sharer.identity, let found = try Cgroup.fileIdentity(of: sharer.theirs) else {
            return true
        }
        return recorded == found
    }

    /// Whether another container may have left a cgroup to this one, before or during this removal.
    func mayInherit(_ container: Container) -> Bool { heirs.withLock { $0.contains(container.id) } }

    /// Whether a sharer still counts: it is not part of this removal, or is neither proven to be gone nor without its
    /// init process yet. Of two that share a cgroup, at least the one that is deleted last sees the other's proof.
    func lives(_ sharer: String) throws(ObservationError) -> Bool {
        guard let other = together[sharer] else { return true }
        if proof(of: other) != nil { return false }
        guard let process = other.process else { return true }
        return try ProcessLife.of(
            pid: process.pid, startTime: process.startTime, inode: other.identity.processInode) != .gone
    }

    /// Processes, cgroups and state directories do not outlive a boot; whatever has the id now is another container's.
    private func afterReboot(_ look: Look?) throws(StepFailure) -> ContainerEvidence {
        var evidence = ContainerEvidence(isAfterReboot: true)
        if case .read(let pid, let startTime, _) = look?.runtime.state, pid > 0 {
            let life = try orFail { () throws(ObservationError) in try ProcessLife.of(pid: pid, startTime: startTime) }
            evidence.runtime = .read(ProcessReference(pid: pid, startTime: startTime), life)
        }
        return evidence
    }

    // MARK: The runtime's state

    /// nil if the helper's policy no longer lists the runtime.
    private func look(
        at container: Container, _ ask: (Request) async throws(StepFailure) -> Reply
    ) async throws(StepFailure) -> Look? {
        if let known = looks.withLock({ $0[container.id] }) { return known }
        guard let target = try? roots.target(container.id, runtime: container.runtime) else { return nil }
        let reply = try await ask(.runtimeKill(target, .look, signal: Signal.kill, all: false))
        var runtime = RuntimeLook()
        switch reply.facts {
        case .container(let facts): runtime = try RuntimeLook(facts, mounts)
        case .directory(let facts): runtime.directory = FileIdentity(facts.identity)
        default:
            guard reply.outcome == .alreadyDone else {
                throw StepFailure(reply, of: "look at the state of \(container.runtime)")
            }
        }
        var look = Look(runtime: runtime, isOwn: try await isOwn(runtime, container, ask))
        if look.isOwn, runtime.state == .unreadable, container.cgroups.isEmpty {
            let (named, others) = try await Threads.node.run { [roots, mounts] () throws(StepFailure) in
                try orFail { () throws(ObservationError) in
                    var (named, own) = (try roots.cgroups(named: container.id), [String]())
                    let search = ContainerSearch(container, roots.cgroupRoots.map(\.path), mounts)
                    // What is certainly the container's tells which of several are meant.
                    for path in named where try !search.owned(of: Cgroup.members(of: [path])).isEmpty {
                        own.append(path)
                    }
                    if !own.isEmpty { named = own }
                    return (named, try search.others(among: Cgroup.members(of: named)))
                }
            }
            // Nothing but the id tells whose a damaged state is that was not there at the registration.
            look.isOwn = container.identity.stateDirectory != nil || others.isEmpty
            if look.isOwn { look.named = named }
        }
        looks.withLock { $0[container.id] = look }
        return look
    }

    /// Whether a state directory is the recorded container's: it is the recorded one, or its bundle or its root lies in
    /// the recorded directories. The latter covers a container that was registered before its start or created anew.
    private func isOwn(
        _ runtime: RuntimeLook, _ container: Container, _ ask: (Request) async throws(StepFailure) -> Reply
    ) async throws(StepFailure) -> Bool {
        guard let found = runtime.directory else { return false }
        if let recorded = container.identity.stateDirectory, recorded == found { return true }
        let directories = container.directories.filter { $0.identity != nil }
        if directories.isEmpty { return container.identity.stateDirectory == nil }
        if let bundle = runtime.bundle, !directories.contains(where: { isBeneath($0.path, bundle) }) {
            return try await usesFiles(of: container, runtime, byPath: true)
        }
        for directory in directories {
            guard let place = try? roots.place(directory.path, for: .remove, in: [.container, .sandbox]) else {
                continue
            }
            let reply = try await ask(.removeDirectory(place, .look(cursor: 0)))
            // A mount over the directory hides its identity, so the directory is not known to be another container's.
            if case .refused(.mountBeneath, _) = reply.outcome { return true }
            if case .directory(let facts) = reply.facts, facts.identity.matches(directory.identity, isAfterReboot) {
                return true
            }
            // Something else may be mounted over it.
            if case .mountPoint(_, let covers) = try await ask(.unmount(place, .look)).facts,
                covers.matches(directory.identity, isAfterReboot)
            {
                return true
            }
        }
        return try await usesFiles(of: container, runtime, byPath: false)
    }

    /// Whether the root of the state's process lies in the container's directories, though its bundle does not.
    ///
    /// - Parameter byPath: Whether a directory at a recorded path counts, and not only the recorded one wherever it was
    ///   moved.
    private func usesFiles(
        of container: Container, _ runtime: RuntimeLook, byPath: Bool
    ) async throws(StepFailure) -> Bool {
        guard case .read(let pid, _, _) = runtime.state, pid > 0 else { return false }
        return try await Threads.node.run { [roots, mounts] () throws(StepFailure) in
            try orFail { () throws(ObservationError) in
                let search = ContainerSearch(container, roots.cgroupRoots.map(\.path), mounts, byPath: byPath)
                return !(try search.owned(of: [pid]).isEmpty)
            }
        }
    }
}

extension RootMap {
    /// The cgroups beneath the roots that are named after a container. The name is the only evidence if the runtime was
    /// killed while it created the container.
    func cgroups(named id: String) throws(ObservationError) -> [String] {
        var found: [String] = []
        for root in cgroupRoots { found += try Cgroup.named(id, beneath: root.path, depth: root.depth) }
        return found
    }
}

extension LifeObserver.Look {
    /// A new container with the same id may live in this container's cgroup, which still exists if a third container
    /// lived beneath it. If the new container's cgroups cannot be read, any of this container's cgroups may be shared.
    func strangers(in container: Container) -> [CgroupSharer] {
        guard !isOwn, runtime.directory != nil else { return [] }
        var theirs = container.cgroups
        if case .read(_, _, let paths) = runtime.state { theirs = paths }
        return container.cgroups.flatMap { own in
            theirs.filter { isBeneath(own, $0) || isBeneath($0, own) }.map {
                CgroupSharer(path: own, container: runtime.stranger(container), theirs: $0)
            }
        }
    }

    /// The cgroups that the runtime's state names, and those that are named after the container.
    var cgroups: [String] {
        guard isOwn, case .read(_, _, let paths) = runtime.state else { return named }
        return paths + named
    }
}

extension RuntimeLook {
    /// - Parameter mounts: The node's mounts, because crun's state names a path that is relative to each hierarchy.
    init(_ facts: ContainerFacts, _ mounts: MountTable) throws(StepFailure) {
        directory = FileIdentity(facts.directory)
        bundle = Self.texts([facts.bundle]).first
        switch facts.state {
        case .absent, .notUnderstood: state = .unreadable
        case .runc:
            state = .read(
                pid: Int32(truncatingIfNeeded: facts.pid), startTime: facts.startTime,
                cgroups: Self.texts(facts.cgroups.map(\.path)))
        case .crun:
            let roots = CgroupHierarchies(mounts).roots
            let paths = Self.texts(facts.cgroups.map(\.path)).map { $0.hasPrefix("/") ? $0 : "/\($0)" }
            state = .read(
                pid: Int32(truncatingIfNeeded: facts.pid), startTime: facts.startTime,
                cgroups: roots.flatMap { root in paths.map { root + $0 } })
        }
    }

    private static func texts(_ paths: [[UInt8]]) -> [String] {
        var known: Set<String> = []
        return paths.compactMap { String(validating: $0, as: UTF8.self) }
            .filter { $0 != "/" && !$0.isEmpty && known.insert($0).inserted }
    }
}

extension NodeIdentity {
    /// Whether this is the recorded identity. A recorded birth of 0 is unknown, because a mount covered the directory.
    /// Device numbers may change with a boot; inode and birth decide then.
    func matches(_ recorded: FileIdentity?, _ isAfterReboot: Bool) -> Bool {
        guard let recorded, inode == recorded.inode, recorded.birth == 0 || birth == recorded.birth else {
            return false
        }
        return device == recorded.device || (isAfterReboot && recorded.birth != 0)
    }
}
