internal import NodeObservation
internal import SandboxRegistry

/// Which processes live in which namespaces, by the namespaces' inode numbers.
struct NamespaceUsers: Sendable {
    /// A process, as far as this user can inspect it.
    struct Process: Sendable {
        var pid: Int32
        /// nil if this user may not know.
        var namespace: UInt64?
        /// A number that the processes of one network namespace share, and that every user may read; nil if there is
        /// none.
        var mark: UInt64?
    }

    private var users: [UInt64: [Int32]] = [:]
    /// How many processes may live in any of the namespaces.
    private var hidden = 0

    /// A process that this user may not inspect, such as another user's or one with more capabilities, is still
    /// assigned to a namespace if the namespace of another process with the same mark is known.
    ///
    /// - Parameter seesAll: Whether /proc shows other users' processes; otherwise there may be any number of others.
    init(_ processes: [Process], seesAll: Bool = true) {
        hidden = seesAll ? 0 : 1
        let marked = processes.compactMap { process -> (UInt64, UInt64)? in
            guard let mark = process.mark, let namespace = process.namespace else { return nil }
            return (mark, namespace)
        }
        let known = Dictionary(marked) { first, _ in first }
        for process in processes {
            if let namespace = process.namespace ?? process.mark.flatMap({ known[$0] }) {
                users[namespace, default: []].append(process.pid)
            } else {
                hidden += 1
            }
        }
    }

    /// Inspects all processes.
    static func observe(_ kind: NamespaceKind) throws(ObservationError) -> NamespaceUsers {
        var processes: [Process] = []
        for pid in try ProcessTable.pids() {
            var process = Process(pid: pid)
            do throws(ObservationError) {
                process.namespace = try ProcessObservation.namespaceInUse(kind.link, by: pid)
                if process.namespace == nil { continue }
            } catch {
                // This user may not know, or the process is gone since.
                guard let status = try ProcessStatus.of(pid: pid), try status.livingThread() != nil else { continue }
            }
            if kind == .network { process.mark = NetworkMarks.mark(of: pid) }
            processes.append(process)
        }
        return NamespaceUsers(processes, seesAll: ContainerSearch.seesAll())
    }

    func use(of inode: UInt64) -> GarbageItem.Use {
        if let pids = users[inode] { return .processes(pids) }
        if hidden > 0 {
            return .unknown(
                "this user cannot see whether a process lives in it (at least \(hidden) hidden); root can")
        }
        return .none
    }
}
