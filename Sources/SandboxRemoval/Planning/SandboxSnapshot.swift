internal import LinuxSystem
public import NodeObservation
public import SandboxRegistry

/// What is seen of a sandbox on the node at one moment. A plan depends on this and on the records alone.
public struct SandboxSnapshot: Sendable {
    /// What is seen of a container's processes.
    public enum Processes: Sendable, Equatable {
        /// The recorded init process lives.
        case running(ProcessReference)
        /// The recorded init process is gone; these processes are still in the container's cgroup.
        case ended(remaining: [Int32])
        /// No init process is recorded, so the runtime has to be asked.
        case unknown
    }

    /// `/proc/sys/kernel/random/boot_id`.
    public var bootID: String
    public var mounts: MountTable
    /// The processes by container id; a container that is missing here counts as `unknown`.
    public var processes: [String: Processes]

    public init(bootID: String, mounts: MountTable, processes: [String: Processes]) {
        self.bootID = bootID
        self.mounts = mounts
        self.processes = processes
    }

    /// Observes the node; needs no privilege.
    ///
    /// - Parameter mounts: The mounts as they were read just before; nil to read them now.
    static func observe(
        _ sandbox: Sandbox, _ records: ContainerRecords, mounts: MountTable? = nil
    ) throws(ObservationError) -> SandboxSnapshot {
        let bootID = try Boot.id()
        var processes: [String: Processes] = [:]
        if !sandbox.isFromEarlierBoot(than: bootID) {
            for container in records.containers {
                processes[container.id] = try Self.processes(
                    of: container, sharers: records.sharers[container.id] ?? [])
            }
        }
        let seen = if let mounts { mounts } else { try MountTable.current() }
        return SandboxSnapshot(bootID: bootID, mounts: seen, processes: processes)
    }

    /// What is seen of the processes without a helper. It is enough to make a plan, but not to delete anything.
    static func processes(
        of container: Container, sharers: [CgroupSharer] = []
    ) throws(ObservationError) -> Processes {
        // A living init process decides the step, so its cgroups are not read: on a node with cgroup version 1 there are ten.
        let evidence = try ContainerEvidence.gather(container, sharers: sharers, briefly: true)
        switch evidence.recorded {
        case .notRecorded, .seen(_, .hidden): return .unknown
        case .seen(let process, .alive): return .running(process)
        case .seen(_, .gone):
            let isKnown = evidence.knowsCgroups && !evidence.cgroups.contains { $0.isUnreadable }
            return isKnown ? .ended(remaining: evidence.cgroups.livingMembers) : .unknown
        }
    }
}

extension Sandbox {
    /// Whether the machine was booted since the sandbox was registered. If so, whatever of it lived in memory is gone,
    /// and anything that now has its pids, namespaces or cgroups belongs to somebody else.
    func isFromEarlierBoot(than current: String) -> Bool {
        if let bootID { bootID != current } else { false }
    }
}

extension MountTable {
    /// The mount points at and beneath a directory, without those that lie beneath another one of them. Detaching these
    /// detaches all; a request could not reach the mounts beneath them.
    func outermost(beneath directory: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for point in mounts(beneath: directory).map(\.mountPoint).sorted(by: { $0.count < $1.count })
        where !found.contains(where: { isBeneath($0, point) }) {
            found.append(point)
        }
        return found
    }
}
