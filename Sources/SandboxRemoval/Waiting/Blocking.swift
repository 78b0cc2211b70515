internal import EventLoop
internal import NodeObservation

/// Threads for work that may wait for a disk, the kernel or another process: the event loop is one thread, and the task
/// pool has one per processor. Each kind of work has its own threads, so that none delays another.
enum Threads {
    /// Reads of the registry and access to its lock file.
    static let registry = BlockingPool("registry", threads: 4)
    /// Writes of the registry, which are serialised anyway.
    static let writing = BlockingPool("writing", threads: 1)
    /// Reads of /proc, cgroups and mounts.
    static let node = BlockingPool("node", threads: 4)
    /// Long scans: explanations, garbage, and processes that hold copies of mounts.
    static let looking = BlockingPool("looking", threads: 2)
    /// Tasks that observe the node repeatedly: registrations, garbage, and states of single containers.
    static let examining = BlockingPool("examining", threads: 4)
    /// Starts hook programs and collects their exit status.
    static let programs = BlockingPool("programs", threads: 2)
}

extension BlockingPool {
    /// Runs `body` and waits for it until the deadline; nil if it has not finished by then, though it still runs on.
    func run<Value: Sendable, Failure: Error>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value? {
        let first = FirstResult<Result<Value?, Failure>>()
        start { first.finish(Result { () throws(Failure) -> Value? in try body() }) }
        let alarm = Alarm(at: deadline) { first.finish(.success(nil)) }
        defer { alarm.cancel() }
        return try await first.value().get()
    }
}

/// Runs `body` as a task that may block.
func onThreads<Value: Sendable>(
    _ body: @escaping @Sendable () async throws(RemovalError) -> Value
) async throws(RemovalError) -> Value {
    let result = await withTaskExecutorPreference(Threads.examining) { () async -> Result<Value, RemovalError> in
        do throws(RemovalError) { return .success(try await body()) } catch { return .failure(error) }
    }
    return try result.get()
}

/// A process handle that tasks can keep. Finding a process reads /proc; waiting for its end does not.
final class KnownProcess: Sendable {
    let handle: ProcessHandle

    init(_ handle: consuming ProcessHandle) { self.handle = handle }

    /// nil if no process has this pid.
    static func find(pid: Int32) async throws(ObservationError) -> KnownProcess? {
        try await Threads.node.run { () throws(ObservationError) in
            guard let handle = try ProcessHandle(pid: pid) else { return nil }
            return KnownProcess(handle)
        }
    }

    /// nil if the process with this pid and start time is gone. Must not be called on the event loop.
    convenience init?(pid: Int32, startTime: UInt64, inode: UInt64?) throws(ObservationError) {
        guard let handle = try ProcessHandle(pid: pid, startTime: startTime, inode: inode) else { return nil }
        self.init(handle)
    }
}
