internal import Synchronization

/// The one thread of this module that waits: until a descriptor is readable, or a deadline has passed.
///
/// It keeps nothing else. Packets are sent and received by the calling task itself, so a call costs one wake-up of this
/// thread and one of the task, and a helper that hangs blocks nobody.
final class Reactor: Sendable {
    /// Started at the first use; a failure (no descriptors, no threads) stays one.
    static let shared: Result<Reactor, SystemError> = {
        do throws(SystemError) {
            let reactor = try Reactor()
            try startThread { while true { reactor.turn() } }
            return .success(reactor)
        } catch {
            return .failure(error)
        }
    }()

    private struct Wait {
        var continuation: CheckedContinuation<Bool, Never>
        var deadline: ContinuousClock.Instant
    }

    private struct State {
        var waits: [UInt64: Wait] = [:]
        var lastToken: UInt64 = 0
        /// When the timer fires; nil: it is off. It may fire too early, never too late.
        var timer: ContinuousClock.Instant?
    }

    private let set: WaitSet
    private let state = Mutex(State())

    private init() throws(SystemError) { set = try WaitSet() }

    /// True as soon as the descriptor is readable or its other end is gone; false once the deadline has passed.
    /// Cancelling the task does not end the wait: a request that was sent is waited for.
    func readable(_ file: borrowing Descriptor, until deadline: ContinuousClock.Instant) async -> Bool {
        await withCheckedContinuation { continuation in
            let token = state.withLock { state in
                state.lastToken += 1
                state.waits[state.lastToken] = Wait(continuation: continuation, deadline: deadline)
                if state.timer.map({ deadline < $0 }) ?? true { set(timer: deadline, in: &state) }
                return state.lastToken
            }
            do throws(SystemError) {
                try set.arm(file, token: token)
            } catch {
                finish(token, ready: false)
            }
        }
    }

    private func finish(_ token: UInt64, ready: Bool) {
        let wait = state.withLock { $0.waits.removeValue(forKey: token) }
        wait?.continuation.resume(returning: ready)
    }

    private func turn() {
        set.wait { token in
            guard token == 0 else { return finish(token, ready: true) }
            expire()
        }
    }

    private func expire() {
        let late = state.withLock { state in
            let now = ContinuousClock.now
            let late = state.waits.filter { $0.value.deadline <= now }
            for token in late.keys { state.waits[token] = nil }
            state.timer = nil
            if let next = state.waits.values.map(\.deadline).min() { set(timer: next, in: &state) }
            return late
        }
        for wait in late.values { wait.continuation.resume(returning: false) }
    }

    private func set(timer deadline: ContinuousClock.Instant, in state: inout State) {
        state.timer = deadline
        let (seconds, attoseconds) = (deadline - .now).components
        let nanoseconds =
            seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue + attoseconds / 1_000_000_000
        set.setTimer(nanoseconds: UInt64(max(0, nanoseconds)))
    }
}
