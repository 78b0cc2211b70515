public import NodeObservation
public import SandboxRegistry

/// What is seen of a sandbox on the node, at one moment: all that a plan depends on beside the records.
public struct SandboxSnapshot: Sendable {
    /// What is seen of a container's processes.
    public enum Processes: Sendable, Equatable {
        /// The recorded init lives.
        case running(ProcessReference)
        /// The recorded init is gone; these are still in its cgroup.
        case ended(remaining: [Int32])
        /// No init is recorded, so the runtime has to be asked.
        case unknown
    }

    /// `/proc/sys/kernel/random/boot_id`.
    public var bootID: String
    public var mounts: MountTable
    /// By container id; `unknown` where one is not in here.
    public var processes: [String: Processes]

    public init(bootID: String, mounts: MountTable, processes: [String: Processes]) {
        self.bootID = bootID
        self.mounts = mounts
        self.processes = processes
    }

    /// Looks at the node; needs no privilege.
    ///
    /// - Parameter mounts: What was seen of them just before.
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

    /// What is seen without a helper: enough to plan with, not to delete by.
    static func processes(
        of container: Container, sharers: [CgroupSharer] = []
    ) throws(ObservationError) -> Processes {
        let evidence = try ContainerEvidence.gather(container, sharers: sharers)
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
    /// Whether the machine was booted since it was registered: then nothing of it that lives in memory is there any more, and what has
    /// its pids, namespaces or cgroups now is another's.
    func isFromEarlierBoot(than current: String) -> Bool {
        if let bootID { bootID != current } else { false }
    }
}

extension MountTable {
    /// The mount points at a directory and beneath it that no other one of them lies above: detaching these detaches all.
    /// A request could not reach beyond them.
    func outermost(beneath directory: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for point in mounts(beneath: directory).map(\.mountPoint).sorted(by: { $0.count < $1.count })
        where !found.contains(where: { isBeneath($0, point) }) {
            found.append(point)
        }
        return found
    }
}

/// Whether `path` is `directory` or lies beneath it.
func isBeneath(_ directory: [UInt8], _ path: [UInt8]) -> Bool {
    path.starts(with: directory) && (path.count == directory.count || path[directory.count] == UInt8(ascii: "/"))
}

func isBeneath(_ directory: String, _ path: String) -> Bool {
    isBeneath(Array(directory.utf8), Array(path.utf8))
}
