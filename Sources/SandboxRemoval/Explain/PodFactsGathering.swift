internal import HelperClient
internal import LinuxSystem
public import NodeObservation
public import SandboxRegistry

extension ProcessObservation {
    /// Whether this process may live in the PID namespace whose first process is `first`. If not, it either has no pid
    /// there or is itself the first process of another PID namespace.
    fileprivate func isInNamespace(of first: ProcessObservation) -> Bool {
        let depth = first.namespacePIDs.count
        return namespacePIDs.count >= depth && namespacePIDs[depth - 1] != 1
    }
}

extension PodFacts {
    /// Observes the node read-only, and uses a child process wherever an observation could hang. Blocks for a few
    /// milliseconds, and for `patience` if a filesystem does not answer.
    ///
    /// - Parameters:
    ///   - runtime: What is known of the runtime that manages the pod, if that is not registered.
    ///   - worker: The process that works on the sandbox, and whether it is stopped.
    ///   - patience: How long a filesystem has to answer.
    ///   - serviceManager: The process that starts the helpers, if that is not this process; its mounts count as the
    ///     node's.
    public static func gather(
        _ sandbox: Sandbox, _ containers: [Container], _ report: RemovalReport?, runtime: PodRuntime? = nil,
        worker: (pid: Int32, isStopped: Bool)? = nil, patience: Duration = .seconds(1), serviceManager: Int32? = nil
    ) throws(ObservationError) -> PodFacts {
        var facts = PodFacts(sandbox: sandbox, containers: containers, report: report)
        facts.isAfterReboot = sandbox.isFromEarlierBoot(than: try Boot.id())
        facts.worker = worker?.pid
        facts.isWorkerStopped = worker?.isStopped ?? false
        facts.runtime = runtime
        try facts.findKeepers()
        facts.isPrivileged = try OwnProcess.current().seesInside
        let table = try MountTable.ofNode(serviceManager: serviceManager)
        if !facts.isAfterReboot {
            let hierarchies = CgroupHierarchies(table)
            try facts.findProcesses(hierarchies)
            if runtime != nil { try facts.confirmWaiting(hierarchies) }
            try facts.findZombies(hierarchies)
        }
        try facts.findMounts(table, patience)
        try facts.findElsewhere(table)
        try facts.findDirectories(table, patience)
        if let reason = runtime?.unasked { facts.unseen.append("what the runtime says through CRI: \(reason)") }
        if !facts.isPrivileged {
            facts.unseen.append(
                "other users' open files, working directories, namespaces and wait channels, which only root sees")
        }
        return facts
    }

    /// The directories that belong to the pod.
    var places: [String] {
        [sandbox.directory] + (sandbox.usesHostShm ? [] : [sandbox.shm].compactMap { $0 })
            + containers.flatMap { $0.directories.map(\.path) }
    }

    var memberPIDs: Set<Int32> { Set(members.map(\.process.pid)) }

    // MARK: Processes

    private mutating func findKeepers() throws(ObservationError) {
        keepers = Set(try PodManager.running().map(\.pid))
        let ids = Set([sandbox.id] + containers.map(\.id))
        for monitor in try ContainerMonitor.all() where !ids.isDisjoint(with: monitor.containers) {
            keepers.insert(monitor.pid)
        }
    }

    /// Looks a second time, because every process waits for a disk now and then. One that still waits at the same place
    /// is stuck.
    private mutating func confirmWaiting(_ hierarchies: CgroupHierarchies) throws(ObservationError) {
        guard members.contains(where: \.process.isWaiting) else { return }
        mayBlock()
        pause(.milliseconds(300))
        for (index, member) in members.enumerated() where member.process.isWaiting {
            guard let now = try ProcessObservation.of(pid: member.process.pid, hierarchies),
                now.startTime == member.process.startTime
            else { continue }
            if !now.isWaiting || now.waitChannel != member.process.waitChannel { members[index].process = now }
            if now.waitChannel != member.process.waitChannel, now.isWaiting { members[index].process.state = "R" }
        }
    }

    private mutating func findProcesses(_ hierarchies: CgroupHierarchies) throws(ObservationError) {
        for container in containers {
            var pids: [Int32] = []
            if let process = container.process, try ProcessStatus.startTime(of: process.pid) == process.startTime {
                pids.append(process.pid)
            }
            let inits = pids.count
            do throws(ObservationError) {
                pids += try Cgroup.members(of: container.cgroups).filter { !pids.contains($0) }
            } catch {
                unseen.append("\(error)")
            }
            for (index, pid) in pids.enumerated() {
                guard let process = try ProcessObservation.of(pid: pid, hierarchies) else { continue }
                members.append(Member(container: container.id, isInit: index < inits, process: process))
            }
        }
        for pid in Set(members.compactMap(\.process.tracer)) {
            tracers[pid] = try ProcessObservation.of(pid: pid, hierarchies)
        }
        try findFrozen()
    }

    private mutating func findFrozen() throws(ObservationError) {
        var found: [FrozenCgroup: Frozen] = [:]
        for member in members where !member.process.isZombie {
            for directory in member.process.cgroups {
                for cgroup in try FrozenCgroup.above(directory) {
                    var frozen = found[cgroup] ?? Frozen(cgroup: cgroup, containers: [], pids: [])
                    if !frozen.containers.contains(member.container) { frozen.containers.append(member.container) }
                    frozen.pids.append(member.process.pid)
                    found[cgroup] = frozen
                }
            }
        }
        let own = memberPIDs
        frozen = found.values.map { frozen in
            var frozen = frozen
            let all = try? Cgroup.members(of: [frozen.cgroup.directory])
            frozen.isPodsAlone = all.map(own.isSuperset) ?? false
            return frozen
        }
        .sorted { $0.cgroup.directory < $1.cgroup.directory }
    }

    /// Finds dead processes in the pod's PID namespaces whose parents are outside. The PID namespace tells which pod a
    /// zombie belongs to, but only root sees it. For other users the zombie's cgroup tells (of version 2, which a
    /// zombie keeps until it is reaped). A zombie that may belong to another pod is only counted as unseen.
    private mutating func findZombies(_ hierarchies: CgroupHierarchies) throws(ObservationError) {
        let inits = members.filter { $0.process.namespacePIDs.count > 1 }
        guard !inits.isEmpty else { return }
        let namespaces = Set(inits.compactMap(\.process.pidNamespace))
        let cgroups = Set(members.flatMap(\.process.cgroups) + containers.flatMap(\.cgroups))
            .subtracting(hierarchies.roots)
        let oldest = inits.map(\.process.startTime).min() ?? 0
        let own = memberPIDs
        var others = 0
        for pid in try ProcessTable.pids() where !own.contains(pid) {
            guard let status = try? ProcessStatus.of(pid: pid), status.state == "Z", status.startTime >= oldest,
                let process = try? ProcessObservation.of(pid: pid, hierarchies), process.namespacePIDs.count > 1,
                !own.contains(process.parent)
            else { continue }
            let parent = try? ProcessObservation.of(pid: process.parent, hierarchies)
            guard parent.map({ $0.namespacePIDs.count < process.namespacePIDs.count }) ?? true else { continue }
            if let namespace = process.pidNamespace, !namespaces.isEmpty {
                guard namespaces.contains(namespace) else { continue }
                zombies.append(Zombie(process: process, parent: parent, isCertain: true))
            } else if inits.contains(where: { process.isInNamespace(of: $0.process) }) {
                if cgroups.isDisjoint(with: process.cgroups) {
                    others += 1
                } else {
                    zombies.append(Zombie(process: process, parent: parent, isCertain: false))
                }
            }
        }
        if others > 0 {
            unseen.append(
                "whether \(count(others, "dead process", "dead processes")) that nobody reaps \(others == 1 ? "is" : "are") in a PID namespace of the pod: only root sees it"
            )
        }
    }

    // MARK: Directories

    private mutating func findDirectories(_ table: MountTable, _ patience: Duration) throws(ObservationError) {
        var recorded = containers.flatMap(\.directories)
        recorded.append(sandbox.ownDirectory)
        let ways = recorded.map { table.mounts(onTheWayTo: Array($0.path.utf8)) }
        let silent = Set(answers.filter { if case .silent = $0.value { true } else { false } }.keys)
        // Each filesystem is asked once. Behind one that does not answer, nothing is asked.
        let open = zip(recorded, ways).filter { silent.isDisjoint(with: $1.map(\.device)) }
        let unasked = open.compactMap { directory, way in
            way.last.flatMap { answers[$0.device] == nil ? ($0.device, $0.mountPoint) : nil }
        }
        answers.merge(Self.ask(unasked, patience)) { first, _ in first }
        for (directory, way) in zip(recorded, ways) {
            directories[directory.path] = try state(of: directory, way)
        }
        let hidden = directories.filter { $0.value == .forbidden }.keys.sorted()
        if !hidden.isEmpty { unseen.append("what is beneath \(hidden.joined(separator: ", "))") }
    }

    private func state(
        of directory: Container.Directory, _ way: [Mount]
    ) throws(ObservationError) -> DirectoryState {
        for mount in way { if case .silent? = answers[mount.device] { return .silent } }
        let found: FileObservation
        do throws(ObservationError) {
            guard let seen = try FileObservation.of(directory.path) else { return .gone }
            found = seen
        } catch {
            return error.isRefusal ? .forbidden : .gone
        }
        guard let recorded = directory.identity, found.isMountRoot == false else { return .there }
        let isSame =
            found.inode == recorded.inode && (recorded.birth == 0 || found.birth == recorded.birth)
            && (isAfterReboot || found.device == recorded.device)
        return isSame ? .there : .replaced
    }
}
