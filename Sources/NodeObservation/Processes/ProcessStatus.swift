/// What /proc/PID/stat says about a process (proc_pid_stat(5)).
public struct ProcessStatus: Sendable, Equatable {
    public let pid: Int32
    /// The name that the process chose, at most 15 bytes; for display.
    public let name: String
    /// `R` running, `S` sleeping, `D` in uninterruptible sleep, `T` stopped, `t` traced, `Z` zombie, `X` dead, `I` idle.
    public let state: Character
    public let parent: Int32
    /// Clock ticks after boot (field 22). Together with the boot id and the pid it tells the process from a later one.
    public let startTime: UInt64

    /// Whether it has ended but its parent has not reaped it, so that it has no files and no namespaces any more. This is
    /// also true if only its first thread has ended.
    public var hasEnded: Bool { state == "Z" || state == "X" }

    /// A thread that shows what the process uses: the first, or another one if the first has ended alone; nil if all
    /// have ended.
    public func livingThread() throws(ObservationError) -> Int32? {
        guard hasEnded else { return pid }
        for name in try subdirectories(of: Array("/proc/\(pid)/task".utf8)) {
            guard let thread = name[...].number(as: Int32.self), let status = try Self.of(pid: thread),
                !status.hasEnded
            else { continue }
            return thread
        }
        return nil
    }

    /// nil if there is no such process.
    public static func of(pid: Int32) throws(ObservationError) -> ProcessStatus? {
        let path = "/proc/\(pid)/stat"
        guard pid > 0, let bytes = try contents(of: Array(path.utf8)), !bytes.isEmpty else { return nil }
        guard let status = ProcessStatus(pid: pid, stat: bytes) else {
            throw .malformed(file: path, line: 1, expected: "PID (NAME) STATE PARENT ... STARTTIME ...")
        }
        return status
    }

    /// Clock ticks after boot; nil if there is no such process.
    public static func startTime(of pid: Int32) throws(ObservationError) -> UInt64? { try of(pid: pid)?.startTime }

    /// The process's pids, in this PID namespace first and in its own last (`NSpid` of proc_pid_status(5)); empty if
    /// there is no such process. More than one means that it lives in a PID namespace beneath this one.
    public static func namespacePIDs(of pid: Int32) throws(ObservationError) -> [Int32] {
        guard let bytes = try contents(of: Array("/proc/\(pid)/status".utf8)) else { return [] }
        let key = Array("NSpid:".utf8)
        guard let line = bytes[...].fields(separatedBy: newline).first(where: { $0.starts(with: key) }) else {
            return []
        }
        return line.dropFirst(key.count).split(separator: UInt8(ascii: "\t")).compactMap { $0.number() }
    }

    /// Whether a process lives in this PID namespace itself, as the node's own programs do and a container's usually do
    /// not.
    public static func isOfThisNamespace(_ pid: Int32) throws(ObservationError) -> Bool {
        try namespacePIDs(of: pid).count == 1
    }

    /// The process that a thread belongs to (`Tgid` of proc_pid_status(5)); nil if there is no such thread.
    public static func process(ofThread thread: Int32) throws(ObservationError) -> Int32? {
        guard let bytes = try contents(of: Array("/proc/\(thread)/status".utf8)) else { return nil }
        return statusField("Tgid", in: bytes)?.number()
    }

    /// The process that traces one of its threads (`TracerPid` of proc_pid_status(5)); nil if there is none, or no such
    /// process.
    public static func tracer(of pid: Int32) throws(ObservationError) -> Int32? {
        let key = Array("TracerPid:".utf8)
        for thread in try subdirectories(of: Array("/proc/\(pid)/task".utf8)) {
            guard let bytes = try contents(of: Array("/proc/\(pid)/task/".utf8) + thread + Array("/status".utf8)),
                let line = bytes[...].fields(separatedBy: newline).first(where: { $0.starts(with: key) })
            else { continue }
            let tracer = line.dropFirst(key.count).drop { $0 == space || $0 == UInt8(ascii: "\t") }
            if let tracer = tracer.number(as: Int32.self), tracer > 0 { return tracer }
        }
        return nil
    }

    /// The name is in parentheses and may itself contain any byte, including parentheses and spaces, so the last
    /// parenthesis ends it.
    init?(pid: Int32, stat bytes: [UInt8]) {
        guard let opening = bytes.firstIndex(of: UInt8(ascii: "(")),
            let closing = bytes.lastIndex(of: UInt8(ascii: ")")),
            opening < closing
        else { return nil }
        let fields = bytes[(closing + 1)...].split(whereSeparator: { $0 == space || $0 == newline })
        guard fields.count >= 20, fields[0].count == 1, let state = fields[0].first,
            let parent = fields[1].number(as: Int32.self), let startTime = fields[19].number(as: UInt64.self)
        else { return nil }
        self.pid = pid
        name = bytes[(opening + 1)..<closing].text
        self.state = Character(Unicode.Scalar(state))
        self.parent = parent
        self.startTime = startTime
    }
}
