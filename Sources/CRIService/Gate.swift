internal import Synchronization

/// Lets so many in at once; the others wait in the order in which they came, and beyond a bound are turned away.
final class Gate: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Those before it have been let in; removing at the front of an array would move all the others.
        var first = 0
    }

    private let state: Mutex<State>
    private let bound: Int

    init(atOnce: Int, waiting bound: Int) {
        state = Mutex(State(free: max(1, atOnce)))
        self.bound = max(0, bound)
    }

    /// Whether so many wait that another would be turned away.
    var isFull: Bool { state.withLock { $0.free == 0 && $0.waiting.count - $0.first >= bound } }

    func enter() async {
        await withCheckedContinuation { continuation in
            let entered = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if entered { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.first < state.waiting.count else {
                state.free += 1
                return nil
            }
            let next = state.waiting[state.first]
            state.first += 1
            if state.first == state.waiting.count || state.first >= 1024 {
                state.waiting.removeFirst(state.first)
                state.first = 0
            }
            return next
        }
        next?.resume()
    }
}
