internal import LinuxSystem

/// The processes that live in a network namespace, including those of other users.
public struct NetworkNamespace: Sendable {
    /// A process that lived in the namespace.
    private struct Member: Sendable {
        var pid: Int32
        var startTime: UInt64
        /// The inode of a file in /proc/PID/net: all processes of one network namespace have the same inode, and no
        /// others have it while one of them is alive.
        var mark: UInt64
    }

    public let path: String
    private let members: [Member]

    /// Looks at all processes for those in the namespace that is pinned at a path, where a namespace must be mounted.
    /// nil if this user cannot find out, because it may neither look into processes nor have a user namespace.
    public init?(pinnedAt path: String) throws(ObservationError) {
        let pids = try ProcessTable.pids()
        guard let inside = networkMembers(path, pids) ?? Self.seen(path, pids) else { return nil }
        self.path = path
        var members: [Member] = []
        for pid in inside {
            guard let startTime = try ProcessStatus.startTime(of: pid), let mark = NetworkMarks.mark(of: pid) else {
                continue
            }
            members.append(Member(pid: pid, startTime: startTime, mark: mark))
        }
        self.members = members
    }

    public var pids: [Int32] { members.map(\.pid) }

    /// The processes that live in the namespace now, whether or not it is still pinned. It is recognised as long as one
    /// of the recorded processes lives in it.
    public func inhabitants() throws(ObservationError) -> [ProcessStatus] {
        var marks: Set<UInt64> = []
        for member in members where NetworkMarks.mark(of: member.pid) == member.mark {
            if try ProcessStatus.startTime(of: member.pid) == member.startTime { marks.insert(member.mark) }
        }
        return marks.isEmpty ? [] : try NetworkMarks.living(among: ProcessTable.pids(), in: marks)
    }

    /// For a user that may look into processes.
    private static func seen(_ path: String, _ pids: [Int32]) -> [Int32]? {
        guard (try? OwnProcess.current().seesInside) == true, let pin = try? FileObservation.of(path) else {
            return nil
        }
        return pids.filter { ProcessObservation.namespace("net", of: $0) == pin.inode }
    }
}
