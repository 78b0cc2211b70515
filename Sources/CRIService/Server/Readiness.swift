internal import EventLoop
internal import SandboxRemoval
internal import Synchronization

/// Caches the results of calling the runtimes, so that a Status call does not execute them each time.
final class Readiness: Sendable {
    typealias Answer = Result<[RuntimeCall], RemovalError>

    private struct State {
        var last: (answer: Answer, at: ContinuousClock.Instant)?
        var asking: Task<Answer, Never>?
    }

    private let orchestrator: Orchestrator
    private let state = Mutex(State())

    init(_ orchestrator: Orchestrator) { self.orchestrator = orchestrator }

    /// Returns the last results; the first call waits for them. Results older than a minute, or than five seconds if
    /// something was wrong, are refreshed in the background.
    ///
    /// - Parameter limit: How long to wait. The runtimes are asked for all callers, so for as long as they may take.
    func runtimes(within limit: Duration) async throws(RemovalError) -> [RuntimeCall] {
        let (last, asking) = state.withLock { state in
            if let last = state.last, last.at.duration(to: .now) < .seconds(last.answer.isGood ? 60 : 5) {
                return (Optional(last.answer), Task<Answer, Never>?.none)
            }
            if state.asking == nil { state.asking = Task.detached { await self.ask() } }
            return (state.last?.answer, state.asking)
        }
        if let last { return try last.get() }
        guard let asking else { return [] }
        guard let answer = await within(.now + limit, { await asking.value }) else {
            throw .overdue("the runtimes' answer", after: limit)
        }
        return try answer.get()
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
    /// Why the daemon is not ready; nil if it is. At least one runtime must have answered a call: otherwise nothing is
    /// known to work.
    var whyNotReady: String? {
        let problems = compactMap(\.problem)
        if !problems.isEmpty { return problems.joined(separator: "; ") }
        if isEmpty { return "helper.conf names no runtime" }
        return contains { $0.answer == .answered } ? nil : "no runtime could be called: \(notCalled)"
    }

    /// Says which runtimes could not be called; empty if every runtime was called.
    var notCalled: String {
        let names = filter { $0.answer == .notCalled }.map(\.name)
        return names.isEmpty ? "" : "\(names.joined(separator: " and ")) has no state directory yet, so no container"
    }
}
