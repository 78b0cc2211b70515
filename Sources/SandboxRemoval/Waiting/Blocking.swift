internal import EventLoop
internal import NodeObservation

/// Threads for what may wait for a disk, for the kernel or for another process: the event loop is one thread, and the pool that runs
/// tasks has as many as there are processors. Each kind of work has its own, so that none holds up another.
enum Threads {
    /// Reads of the registry, and its lock file.
    static let registry = BlockingPool("registry", threads: 4)
    /// Writes of the registry, which happen one after the other anyway.
    static let writing = BlockingPool("writing", threads: 1)
    /// /proc, cgroups and mounts.
    static let node = BlockingPool("node", threads: 4)
    /// What looks long: explanations, garbage, processes that hold copies of mounts.
    static let looking = BlockingPool("looking", threads: 2)
    /// Registrations, garbage and states of single containers: tasks that look at the node again and again.
    static let examining = BlockingPool("examining", threads: 4)
    /// The ends of programs that have been waited for.
    static let programs = BlockingPool("programs", threads: 2)
}

extension BlockingPool {
    /// Runs `body` and waits for it, but not beyond the deadline: nil then. What it does happens all the same.
    func run<Value: Sendable, Failure: Error>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value? {
        let first = FirstResult<Result<Value?, Failure>>()
        start { first.finish(Result { () throws(Failure) -> Value? in try body() }) }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            first.finish(.success(nil))
        }
        defer { timer.cancel() }
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

/// A handle of a process that tasks can keep. Finding one reads /proc, waiting for its end does not.
final class KnownProcess: Sendable {
    let handle: ProcessHandle

    init(_ handle: consuming ProcessHandle) { self.handle = handle }

    /// nil where no process has this pid.
    static func find(pid: Int32) async throws(ObservationError) -> KnownProcess? {
        try await Threads.node.run { () throws(ObservationError) in
            guard let handle = try ProcessHandle(pid: pid) else { return nil }
            return KnownProcess(handle)
        }
    }

    /// nil where the process is gone that had this pid and start time.
    static func find(pid: Int32, startTime: UInt64, inode: UInt64?) async throws(ObservationError) -> KnownProcess? {
        try await Threads.node.run { () throws(ObservationError) in
            guard let handle = try ProcessHandle(pid: pid, startTime: startTime, inode: inode) else { return nil }
            return KnownProcess(handle)
        }
    }
}
