internal import Glibc

/// A process as shown to people who look for what blocks a removal: facts that every user may read, and more as root.
public struct ProcessObservation: Sendable, Equatable, Codable {
    public var pid: Int32
    /// The name that the process chose, at most 15 bytes; for display.
    public var name: String
    /// The command line, cut at 200 bytes; the name if the process has none, or if reading it might hang.
    public var command: String
    /// A letter as in `ProcessStatus.state`; also `D` if any of its threads is in uninterruptible sleep.
    public var state: String
    public var parent: Int32
    public var startTime: UInt64
    /// The kernel's function in which it waits; nil if unknown, as it is to users other than root.
    public var waitChannel: String?
    /// The absolute directories of its cgroups.
    public var cgroups: [String]
    /// Its pids, from the one in this PID namespace to the one in its own.
    public var namespacePIDs: [Int32]
    /// The inode of its PID namespace; nil if this user may not know.
    public var pidNamespace: UInt64?
    /// Whether it has released its memory: it has ended, except for what it still waits for.
    public var isExiting: Bool
    /// The process that traces it, or one of its threads (ptrace(2)); nil if there is none.
    public var tracer: Int32?

    public init(
        pid: Int32, name: String, command: String? = nil, state: String = "S", parent: Int32 = 1,
        startTime: UInt64 = 0, waitChannel: String? = nil, cgroups: [String] = [], namespacePIDs: [Int32] = [],
        pidNamespace: UInt64? = nil, isExiting: Bool = false, tracer: Int32? = nil
    ) {
        self.pid = pid
        self.name = name
        self.command = command ?? name
        self.state = state
        self.parent = parent
        self.startTime = startTime
        self.waitChannel = waitChannel
        self.cgroups = cgroups
        self.namespacePIDs = namespacePIDs
        self.pidNamespace = pidNamespace
        self.isExiting = isExiting
        self.tracer = tracer
    }

    public var isZombie: Bool { state == "Z" || state == "X" }
    /// Whether it waits in the kernel, where no signal wakes it, except KILL in some cases.
    public var isWaiting: Bool { state == "D" }

    /// nil if there is no such process.
    public static func of(
        pid: Int32, _ hierarchies: CgroupHierarchies
    ) throws(ObservationError) -> ProcessObservation? {
        guard let status = try ProcessStatus.of(pid: pid) else { return nil }
        let waiting = status.state == "D" ? pid : try waitingThread(of: pid)
        var found = ProcessObservation(
            pid: pid, name: status.name, state: waiting != nil ? "D" : String(status.state), parent: status.parent,
            startTime: status.startTime, cgroups: try hierarchies.directories(of: pid),
            namespacePIDs: try ProcessStatus.namespacePIDs(of: pid), pidNamespace: namespace("pid", of: pid),
            isExiting: try hasNoMemory(pid), tracer: try ProcessStatus.tracer(of: pid))
        found.waitChannel = waitChannel(of: waiting ?? pid, in: pid)
        // The command line is in the process's memory, whose lock may be held by a thread that hangs.
        if waiting == nil, let command = commandLine(of: pid) { found.command = command }
        return found
    }

    /// The inode of one of a process's namespaces; nil if this user may not know, or if there is no such process.
    public static func namespace(_ kind: String, of pid: Int32) -> UInt64? {
        (try? namespace(at: "/proc/\(pid)/ns/\(kind)")) ?? nil
    }

    /// The inode of one of the namespaces in which a process lives, also if its first thread has ended; nil if it lives
    /// in none any more. What ends leaves its namespaces some time before it is gone. Throws if this user may not know.
    public static func namespaceInUse(_ kind: String, by pid: Int32) throws(ObservationError) -> UInt64? {
        if let found = try namespace(at: "/proc/\(pid)/ns/\(kind)") { return found }
        for thread in try subdirectories(of: Array("/proc/\(pid)/task".utf8)) {
            if let found = try namespace(at: "/proc/\(pid)/task/\(thread.text)/ns/\(kind)") { return found }
        }
        return nil
    }

    private static func namespace(at link: String) throws(ObservationError) -> UInt64? {
        try linkTarget(link)?.split(separator: UInt8(ascii: "[")).last?.dropLast().number()
    }

    private static func hasNoMemory(_ pid: Int32) throws(ObservationError) -> Bool {
        guard let bytes = try contents(of: Array("/proc/\(pid)/status".utf8)) else { return true }
        return !bytes.split(separator: newline).contains { $0.starts(with: "VmSize:".utf8) }
    }

    private static func waitingThread(of pid: Int32) throws(ObservationError) -> Int32? {
        for name in try subdirectories(of: Array("/proc/\(pid)/task".utf8)) {
            guard let thread = name[...].number(as: Int32.self), thread != pid,
                let bytes = try contents(of: Array("/proc/\(pid)/task/\(thread)/stat".utf8)),
                let status = ProcessStatus(pid: thread, stat: bytes), status.state == "D"
            else { continue }
            return thread
        }
        return nil
    }

    private static func waitChannel(of thread: Int32, in pid: Int32) -> String? {
        guard let bytes = try? contents(of: Array("/proc/\(pid)/task/\(thread)/wchan".utf8)), !bytes.isEmpty,
            bytes != [UInt8(ascii: "0")]
        else { return nil }
        return bytes.text
    }

    private static func commandLine(of pid: Int32) -> String? {
        guard let bytes = try? contents(of: Array("/proc/\(pid)/cmdline".utf8)), !bytes.isEmpty else { return nil }
        let words = bytes.prefix(200).split(separator: 0)
        return words.map(\.text).joined(separator: " ")
    }
}

/// The processes of this machine.
public enum ProcessTable {
    /// The pid of this process.
    public static var own: Int32 { getpid() }

    /// The pids that this user can see, in order.
    public static func pids() throws(ObservationError) -> [Int32] {
        try subdirectories(of: Array("/proc".utf8)).compactMap { $0[...].number(as: Int32.self) }.sorted()
    }

    /// The processes that have one of these names and have not ended, ordered by pid.
    public static func living(named names: Set<String>) throws(ObservationError) -> [ProcessStatus] {
        var found: [ProcessStatus] = []
        for pid in try pids() {
            guard let status = try ProcessStatus.of(pid: pid), names.contains(status.name), !status.hasEnded else {
                continue
            }
            found.append(status)
        }
        return found
    }
}
