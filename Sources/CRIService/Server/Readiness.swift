internal import SandboxRemoval
internal import Synchronization

/// What came of calling the runtimes. It is kept, so that asking for the Status does not execute them each time.
final class Readiness: Sendable {
    typealias Answer = Result<[RuntimeCall], RemovalError>

    private struct State {
        var last: (answer: Answer, at: ContinuousClock.Instant)?
        var asking: Task<Answer, Never>?
    }

    private let orchestrator: Orchestrator
    private let state = Mutex(State())

    init(_ orchestrator: Orchestrator) { self.orchestrator = orchestrator }

    /// The last answer; the first call waits for it. One that is older than a minute, or five seconds where something was wrong, is
    /// replaced in the background.
    func runtimes() async throws(RemovalError) -> [RuntimeCall] {
        let (last, asking) = state.withLock { state in
            if let last = state.last, last.at.duration(to: .now) < .seconds(last.answer.isGood ? 60 : 5) {
                return (Optional(last.answer), Task<Answer, Never>?.none)
            }
            if state.asking == nil { state.asking = Task.detached { await self.ask() } }
            return (state.last?.answer, state.asking)
        }
        if let last { return try last.get() }
        return try await asking?.value.get() ?? []
    }

    private func ask() async -> Answer {
        let answer: Answer
        do throws(RemovalError) {
            answer = .success(try await orchestrator.callRuntimes())
        } catch {
            answer = .failure(error)
        }
        state.withLock { state in
            state.last = (answer, .now)
            state.asking = nil
        }
        return answer
    }
}

extension Readiness.Answer {
    fileprivate var isGood: Bool {
        guard case .success(let calls) = self else { return false }
        return calls.whyNotReady == nil
    }
}

extension [RuntimeCall] {
    /// Ready is only what was really called: where no runtime was, that is not known to work.
    var whyNotReady: String? {
        let problems = compactMap(\.problem)
        if !problems.isEmpty { return problems.joined(separator: "; ") }
        if isEmpty { return "helper.conf names no runtime" }
        return contains { $0.answer == .answered } ? nil : "no runtime could be called: \(notCalled)"
    }

    /// Those of which nothing is known; empty where there are none.
    var notCalled: String {
        let names = filter { $0.answer == .notCalled }.map(\.name)
        return names.isEmpty ? "" : "\(names.joined(separator: " and ")) has no state directory yet, so no container"
    }
}
