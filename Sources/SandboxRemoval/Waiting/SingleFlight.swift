internal import EventLoop
internal import NodeObservation
internal import Synchronization

/// A look at the node that those share who ask for one meanwhile: what each gets was seen after it had asked. Each of a hundred
/// removals at once would read the mounts of all of them.
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
