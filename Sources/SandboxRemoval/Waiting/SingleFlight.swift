internal import EventLoop
internal import NodeObservation
internal import Synchronization

/// Coalesces concurrent observations of the node: callers that arrive while one runs share the next, so each result was
/// seen after its caller asked. Otherwise each of a hundred removals would read the mounts of all.
final class SingleFlight<Seen: Sendable>: Sendable {
    private typealias Answer = Result<Seen, ObservationError>

    private struct State {
        var asking: [CheckedContinuation<Answer, Never>] = []
        var isLooking = false
    }

    private let state = Mutex(State())
    private let look: @Sendable () throws(ObservationError) -> Seen

    init(_ look: @escaping @Sendable () throws(ObservationError) -> Seen) {
        self.look = look
    }

    func seen() async throws(ObservationError) -> Seen {
        let answer = await withCheckedContinuation { continuation in
            let isFirst = state.withLock { state in
                state.asking.append(continuation)
                defer { state.isLooking = true }
                return !state.isLooking
            }
            if isFirst { Threads.node.start { self.answer() } }
        }
        return try answer.get()
    }

    private func answer() {
        while true {
            let asking = state.withLock { state in
                state.isLooking = !state.asking.isEmpty
                defer { state.asking = [] }
                return state.asking
            }
            if asking.isEmpty { return }
            let answer: Answer
            do throws(ObservationError) { answer = .success(try look()) } catch { answer = .failure(error) }
            for continuation in asking { continuation.resume(returning: answer) }
        }
    }
}
