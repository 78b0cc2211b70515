internal import EventLoop
internal import SandboxRegistry
internal import Synchronization

/// Lets one call of this process at a time work on a sandbox. The others wait in memory and learn how its work ended.
final class PodQueue: Sendable {
    /// How the work of one call ended.
    struct Ended: Sendable {
        let wanted: Wanted
        let result: Result<RemovalAnswer, RemovalError>
        /// Whether the call's deadline had passed.
        let ranOutOfTime: Bool

        /// What this result means to another call that waited for it; nil if that call has to do the work itself.
        func answer(to other: Wanted) -> Result<RemovalAnswer, RemovalError>? {
            guard wanted.container == other.container else { return nil }
            switch result {
            case .success(.finished(let report, _)):
                return other.isAnswered(by: report) ? .success(.finished(report, joined: true)) : nil
            case .success(.unknown): return other.hook == .none ? result : nil
            case .failure:
                let isSame = wanted.hook.isSame(as: other.hook) && wanted.assumesDeath == other.assumesDeath
                return ranOutOfTime || !isSame || !wanted.bounds.cover(other.bounds) ? nil : result
            }
        }
    }

    enum Turn: Sendable {
        /// This call does the work, and must call `leave` afterwards.
        case first
        /// Another call did its work meanwhile.
        case ended(Ended)
    }

    private struct Waiter {
        let continuation: CheckedContinuation<Turn?, Never>
        /// Until when the waiting call accepts that the working call gives containers time to end.
        let patience: ContinuousClock.Instant
    }

    private struct State {
        /// The waiting calls by ticket, for each sandbox that a call works on.
        var pods: [String: [Int: Waiter]] = [:]
        var lastTicket = 0

        /// Makes this call the working one if no call works on the sandbox; returns whether it did.
        mutating func begin(_ id: String) -> Bool {
            guard pods[id] == nil else { return false }
            pods[id] = [:]
            return true
        }
    }

    private let state = Mutex(State())

    /// Waits until no other call of this process works on a sandbox, or until one has ended its work; nil at the
    /// deadline.
    ///
    /// - Parameter waiting: Called if this call has to wait.
    func enter(
        _ id: String, _ wanted: Wanted, until deadline: ContinuousClock.Instant, waiting: @Sendable () -> Void
    ) async -> Turn? {
        let ticket = state.withLock { state -> Int? in
            if state.begin(id) { return nil }
            state.lastTicket += 1
            return state.lastTicket
        }
        guard let ticket else { return .first }
        waiting()
        let alarm = Alarm(at: deadline) { [self] in
            state.withLock { $0.pods[id]?.removeValue(forKey: ticket) }?.continuation.resume(returning: nil)
        }
        defer { alarm.cancel() }
        return await withCheckedContinuation { continuation in
            let turn: Turn?? = state.withLock { state in
                if deadline <= .now { return .some(nil) }
                if state.begin(id) { return .first }
                // A removal gives no grace, and a stop with a shorter grace must not wait out a longer one.
                state.pods[id]?[ticket] = Waiter(continuation: continuation, patience: .now + wanted.grace)
                return nil
            }
            if let turn { continuation.resume(returning: turn) }
        }
    }

    /// Ends the work of the call that got `Turn.first`, and wakes the waiting calls.
    func leave(_ id: String, _ ended: Ended) {
        let waiters = state.withLock { $0.pods.removeValue(forKey: id) } ?? [:]
        for waiter in waiters.values { waiter.continuation.resume(returning: .ended(ended)) }
    }

    /// Whether a waiting call wants the sandbox's containers to have no more time to end.
    func isHurried(_ id: String) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            return state.pods[id]?.values.contains { $0.patience <= now } ?? false
        }
    }
}
