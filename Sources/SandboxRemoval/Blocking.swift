internal import Dispatch

/// Runs what may wait for a disk or a lock on a thread of its own, because the event loop is one, and the pool that
/// runs tasks has as many as there are processors. So has the pool of Dispatch's global queues, where a few that wait would
/// hold up all others; a queue of its own gets a thread at once.
func offPool<Value: Sendable, Failure>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
    let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
        DispatchQueue(label: "podreap.blocking").async { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
}
