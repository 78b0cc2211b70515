internal import LinuxSystem

/// A process that cannot be mistaken for another: its pidfd (pidfd_open(2)) is opened first, and its identity compared
/// afterwards.
public struct ProcessHandle: ~Copyable, Sendable {
    public let pid: Int32
    /// Clock ticks after boot; nil if /proc hides the process (hidepid of proc(5)).
    public let startTime: UInt64?
    /// The pidfd's inode, which no other process has before the next boot (Linux 6.9); nil on an older kernel.
    public let inode: UInt64?
    private let descriptor: Descriptor

    /// nil if no process has this pid.
    public init?(pid: Int32) throws(ObservationError) {
        try self.init(pid, where: { _, _ in true })
    }

    private init?(_ pid: Int32, where isWanted: (_ startTime: UInt64?, _ inode: UInt64?) -> Bool)
        throws(ObservationError)
    {
        guard pid > 0, let descriptor = try Self.open(pid) else { return nil }
        let startTime = try ProcessStatus.startTime(of: pid)
        let inode = try Self.inode(of: descriptor)
        // Without a start time, the process has ended and was reaped meanwhile, unless /proc hides it: then its pidfd
        // is not readable.
        guard startTime != nil || !descriptor.isReadable, isWanted(startTime, inode) else { return nil }
        self.startTime = startTime
        self.inode = inode
        self.pid = pid
        self.descriptor = descriptor
    }

    private static func open(_ pid: Int32) throws(ObservationError) -> Descriptor? {
        try ObservationError.during("pidfd_open", "\(pid)") { () throws(Errno) in try openProcess(pid) }
    }

    /// A pidfd's inode on pidfs (Linux 6.9), which gives each process its own; nil if all pidfds share one.
    private static func inode(of process: borrowing Descriptor) throws(ObservationError) -> UInt64? {
        do throws(Errno) {
            // PID_FS_MAGIC of linux/magic.h.
            guard try filesystemType(of: process) == 0x5049_4446 else { return nil }
            return try MountedFileStatus.of(process).inode
        } catch {
            throw .failed(call: "statx", path: "pidfd", code: error.number)
        }
    }

    /// nil if the process that had this pid and start time is gone, even if another process has the pid now; also if
    /// that cannot be told, because /proc hides the process that has the pid.
    ///
    /// A start time means nothing after a reboot: compare `Boot.id()` with the record's boot id first.
    public init?(pid: Int32, startTime: UInt64, inode: UInt64? = nil) throws(ObservationError) {
        try self.init(
            pid,
            where: { foundTime, foundInode in
                if let inode, let foundInode { inode == foundInode } else { foundTime == startTime }
            })
    }

    /// Whether the process has ended with all its threads. This is true of a zombie, which only its parent has not
    /// reaped yet.
    public var isGone: Bool { descriptor.isReadable }

    /// Waits until the process has ended, and returns true; false if the deadline passed or the task was cancelled
    /// first.
    ///
    /// Blocks no thread of Swift's concurrency pool, and wakes only when the process ends or the deadline passes.
    public func wait(until deadline: ContinuousClock.Instant) async -> Bool {
        if isGone { return true }
        await waitReadable(descriptor, until: deadline)
        return isGone
    }
}

/// Whether a process is alive, as its pidfd shows. An ended first thread does not prove that it is gone, nor does a
/// /proc that shows nothing.
public enum ProcessLife: Sendable, Equatable {
    case gone, alive
    /// A process has the pid, but /proc hides whether it is the recorded one.
    case hidden

    /// - Parameters:
    ///   - startTime: Clock ticks after this boot.
    ///   - inode: The pidfd's inode, if it was recorded.
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
