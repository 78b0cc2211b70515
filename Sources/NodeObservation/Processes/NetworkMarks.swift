/// Which processes share a network namespace, from what every user may read: the file /proc/PID/net/dev has an inode of
/// its own in each network namespace.
public struct NetworkMarks: Sendable {
    fileprivate var members: [UInt64: [Int32]] = [:]

    /// The marks of all processes.
    public static func all() throws(ObservationError) -> NetworkMarks {
        var marks = NetworkMarks()
        for pid in try ProcessTable.pids() {
            if let mark = mark(of: pid) { marks.members[mark, default: []].append(pid) }
        }
        return marks
    }

    /// Those of these processes that live now, in a network namespace with one of these marks.
    static func living(
        among pids: [Int32], in marks: Set<UInt64>, startedBy ticks: UInt64 = .max
    ) throws(ObservationError) -> [ProcessStatus] {
        var found: [ProcessStatus] = []
        for pid in pids {
            guard let mark = mark(of: pid), marks.contains(mark), let status = try ProcessStatus.of(pid: pid),
                !status.hasEnded, status.startTime <= ticks
            else { continue }
            found.append(status)
        }
        return found
    }

    /// nil if there is no such process, or if this user may not read the file.
    public static func mark(of pid: Int32) -> UInt64? { (try? FileObservation.of("/proc/\(pid)/net/dev"))?.inode }
}

/// A network namespace in which a process lived at a known moment.
public struct NetworkTrace: Sendable {
    private let mark: UInt64
    private let ticks: UInt64

    /// nil if there is no such process, or if it lives in this process's own network namespace.
    public init?(of pid: Int32, startTime: UInt64) throws(ObservationError) {
        guard let mark = NetworkMarks.mark(of: pid), mark != NetworkMarks.mark(of: ProcessTable.own),
            let ticks = try Boot.ticks(), try ProcessStatus.startTime(of: pid) == startTime
        else { return nil }
        self.mark = mark
        self.ticks = ticks
    }

    /// The processes that live in the namespace now. The kernel may reuse the mark once no process lives in it, so a
    /// process that started after this trace was made is left out.
    public func inhabitants(_ marks: NetworkMarks) throws(ObservationError) -> [ProcessStatus] {
        try NetworkMarks.living(among: marks.members[mark, default: []], in: [mark], startedBy: ticks)
    }
}

extension Boot {
    /// The time since boot in the clock ticks of processes' start times, 100 a second (times(2)); nil if /proc hides
    /// it.
    static func ticks() throws(ObservationError) -> UInt64? {
        guard let text = try contents(of: Array("/proc/uptime".utf8)) else { return nil }
        // The file has seconds with two digits after the point.
        return text.prefix { $0 != space }.filter { $0 != UInt8(ascii: ".") }.number()
    }
}
