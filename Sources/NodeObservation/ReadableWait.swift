internal import Dispatch

/// One queue for all waits: what runs on it takes microseconds.
private let queue = DispatchQueue(label: "process-exit", qos: .userInitiated)

/// Returns when a descriptor is readable, the deadline has come or the task is cancelled: whichever is first.
func waitReadable(_ descriptor: borrowing Descriptor, until deadline: ContinuousClock.Instant) async {
    // The class behind the protocol, because it is Sendable and the protocol is not.
    let readable = DispatchSource.makeReadSource(fileDescriptor: descriptor.number, queue: queue) as! DispatchSource
    let timer = DispatchSource.makeTimerSource(queue: queue)
    let remaining = max(.zero, deadline - .now).components
    let nanoseconds = min(remaining.seconds, 1 << 30) * 1_000_000_000 + remaining.attoseconds / 1_000_000_000
    timer.schedule(deadline: .now() + .nanoseconds(Int(nanoseconds)), leeway: .nanoseconds(0))
    await withTaskCancellationHandler {
        await withCheckedContinuation { finished in
            // Every way out goes through the cancel handler: only then has epoll forgotten the descriptor, and may it be closed.
            readable.setCancelHandler { finished.resume() }
            readable.setEventHandler { readable.cancel() }
            timer.setEventHandler { readable.cancel() }
            readable.activate()
            timer.activate()
        }
    } onCancel: {
        readable.cancel()
    }
    timer.cancel()
}
