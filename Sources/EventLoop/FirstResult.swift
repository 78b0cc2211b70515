internal import Synchronization

/// The first of several values that tasks produce concurrently; one task waits for it.
public final class FirstResult<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var continuation: CheckedContinuation<Value, Never>?
    }
    private let state = Mutex(State())

    public init() {}

    /// Sets the value. Values after the first are dropped.
    public func finish(_ value: Value) {
        let continuation = state.withLock { state -> CheckedContinuation<Value, Never>? in
            guard state.value == nil else { return nil }
            state.value = value
            return state.continuation.take()
        }
        continuation?.resume(returning: value)
    }

    public func value() async -> Value {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.value == nil { state.continuation = continuation }
                return state.value
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}

/// What `body` returns, or nil at the deadline. In that case `body` continues, and its value is dropped.
public func within<Value: Sendable>(
    _ deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () async -> Value
) async -> Value? {
    let first = FirstResult<Value?>()
    Task(executorPreference: EventLoop.preferred) { first.finish(await body()) }
    let alarm = Alarm(at: deadline) { first.finish(nil) }
    defer { alarm.cancel() }
    return await first.value()
}
