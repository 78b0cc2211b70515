/// A process that cannot be mistaken for another: a pidfd (pidfd_open(2)), opened first and compared after.
public struct ProcessHandle: ~Copyable, Sendable {
    public let pid: Int32
    /// Clock ticks after boot; nil where /proc hides the process (hidepid of proc(5)).
    public let startTime: UInt64?
    /// The pidfd's inode, which no other process has before the next boot (Linux 6.9); nil on an older kernel.
    public let inode: UInt64?
    private let descriptor: Descriptor

    /// nil where no process has this pid.
    public init?(pid: Int32) throws(ObservationError) {
        try self.init(pid, where: { _, _ in true })
    }

    private init?(_ pid: Int32, where isWanted: (_ startTime: UInt64?, _ inode: UInt64?) -> Bool)
        throws(ObservationError)
    {
        guard pid > 0, let descriptor = try openProcess(pid) else { return nil }
        let startTime = try ProcessStatus.startTime(of: pid)
        let inode = try pidfdInode(descriptor)
        // Without a start time it has ended and was reaped meanwhile, unless it is hidden: then the pidfd is not readable.
        guard startTime != nil || !isReadable(descriptor), isWanted(startTime, inode) else { return nil }
        self.startTime = startTime
        self.inode = inode
        self.pid = pid
        self.descriptor = descriptor
    }

    /// nil where the process that had this pid and start time is gone, though another may have its pid now; also where that cannot be
    /// told, because /proc hides the one that has it.
    ///
    /// A start time is worth nothing after a reboot: compare `Boot.id()` with the record's first.
    public init?(pid: Int32, startTime: UInt64, inode: UInt64? = nil) throws(ObservationError) {
        try self.init(
            pid,
            where: { foundTime, foundInode in
                if let inode, let foundInode { inode == foundInode } else { foundTime == startTime }
            })
    }

    /// Whether the process has ended with all its threads. A zombie has: its parent alone is late.
    public var isGone: Bool { isReadable(descriptor) }

    /// Waits until the process has ended: true; false where the deadline came first or the task was cancelled.
    ///
    /// Blocks no thread of Swift's concurrency pool, and wakes only for the process's end or the deadline.
    public func wait(until deadline: ContinuousClock.Instant) async -> Bool {
        if isGone { return true }
        await waitReadable(descriptor, until: deadline)
        return isGone
    }
}

/// Whether a process lives, as its pidfd tells: a first thread that has ended proves nothing, nor does a /proc that shows nothing.
public enum ProcessLife: Sendable, Equatable {
    case gone, alive
    /// A process has the pid, and /proc hides whether it is that one.
    case hidden

    /// - Parameters:
    ///   - startTime: Clock ticks after this boot.
    ///   - inode: The pidfd's inode, where it was recorded.
    public static func of(pid: Int32, startTime: UInt64, inode: UInt64? = nil) throws(ObservationError) -> ProcessLife {
        guard let process = try ProcessHandle(pid: pid) else { return .gone }
        if let inode, let found = process.inode {
            guard found == inode else { return .gone }
        } else if let found = process.startTime {
            guard found == startTime else { return .gone }
        } else {
            return .hidden
        }
        return process.isGone ? .gone : .alive
    }
}
