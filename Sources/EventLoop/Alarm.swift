/// Calls a function at a deadline, unless it is cancelled before.
///
/// A sleeping task would do the same, but wakes a thread when it begins and another when it is cancelled, and most
/// deadlines are cancelled.
public struct Alarm: Sendable {
    private let cancellation: @Sendable () -> Void

    /// - Parameter body: Called on the event loop, so it must not block.
    public init(at deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () -> Void) {
        guard let loop = try? EventLoop.shared.get() else {
            let task = Task {
                guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
                body()
            }
            cancellation = { task.cancel() }
            return
        }
        let token = loop.alarm(at: deadline, body)
        cancellation = { loop.takeBack(token) }
    }

    /// The function may be running already, or have run.
    public func cancel() { cancellation() }
}
