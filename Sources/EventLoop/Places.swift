internal import Synchronization

/// A bounded number of places, which tasks take in the order in which they come. A task that waits for a place occupies
/// no thread.
public final class Places: Sendable {
    private struct State {
        var free: Int
        var order = Queue<Int>()
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
        var lastTicket = 0

        mutating func takeIfFree() -> Bool {
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    private let state: Mutex<State>

    /// - Parameter count: At least 1.
    public init(_ count: Int) { state = Mutex(State(free: max(1, count))) }

    /// True if a place was taken, which the caller must give back; false if none is free now.
    public func takeIfFree() -> Bool { state.withLock { $0.takeIfFree() } }

    /// True if a place was taken, which the caller must give back; false if none was free by the deadline.
    public func take(until deadline: ContinuousClock.Instant) async -> Bool {
        let ticket = state.withLock { state -> Int? in
            if state.takeIfFree() { return nil }
            state.lastTicket += 1
            return state.lastTicket
        }
        guard let ticket else { return true }
        let alarm = Alarm(at: deadline) { [self] in leave(ticket)?.resume(returning: false) }
        defer { alarm.cancel() }
        return await withCheckedContinuation { continuation in
            let isThere: Bool? = state.withLock { state in
                // A place may have been given back meanwhile.
                if state.takeIfFree() { return true }
                if deadline <= .now { return false }
                state.order.append(ticket)
                state.waiting[ticket] = continuation
                return nil
            }
            if let isThere { continuation.resume(returning: isThere) }
        }
    }

    private func leave(_ ticket: Int) -> CheckedContinuation<Bool, Never>? {
        state.withLock { state in
            defer {
                if state.order.count > 2 * state.waiting.count + 64 {
                    let waiting = state.waiting
                    state.order.removeAll { waiting[$0] == nil }
                }
            }
            return state.waiting.removeValue(forKey: ticket)
        }
    }

    public func give() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            while let ticket = state.order.popFirst() {
                if let next = state.waiting.removeValue(forKey: ticket) { return next }
            }
            state.free += 1
            return nil
        }
        next?.resume(returning: true)
    }
}
