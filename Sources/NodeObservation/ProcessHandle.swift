/// A process that cannot be mistaken for another: a pidfd (pidfd_open(2)), opened first and compared after.
public struct ProcessHandle: ~Copyable, Sendable {
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64
    private let descriptor: Descriptor

    /// nil where no process has this pid.
    public init?(pid: Int32) throws(ObservationError) { try self.init(pid: pid, expected: nil) }

    /// nil where the process that had this pid and start time is gone, though another may have its pid now.
    ///
    /// A start time is worth nothing after a reboot: compare `Boot.id()` with the record's first.
    public init?(pid: Int32, startTime: UInt64) throws(ObservationError) {
        try self.init(pid: pid, expected: startTime)
    }

    private init?(pid: Int32, expected: UInt64?) throws(ObservationError) {
        guard pid > 0, let descriptor = try openProcess(pid), let startTime = try ProcessStatus.startTime(of: pid),
            expected == nil || expected == startTime
        else { return nil }
        self.pid = pid
        self.startTime = startTime
        self.descriptor = descriptor
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
