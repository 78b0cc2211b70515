internal import Dispatch

/// Runs what may wait for a disk or a lock on a thread of its own, because the pool that runs tasks has as many threads as
/// there are processors.
func offPool<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        DispatchQueue.global(qos: .userInitiated).async { continuation.resume(returning: body()) }
    }
}
