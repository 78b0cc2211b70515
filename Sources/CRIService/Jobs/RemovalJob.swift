internal import GRPCCore
internal import SandboxRegistry
internal import SandboxRemoval
internal import Synchronization

/// A removal or stop of one sandbox or container, and the calls that wait for it.
final class RemovalJob: Sendable {
    typealias Answer = Result<RemovalAnswer, RemovalError>

    private struct State {
        var plan: RemovalPlan?
        var answer: Answer?
        var lastTicket = 0
        var waiting: [Int: CheckedContinuation<Answer?, Never>] = [:]
        /// Tickets of calls that ended before they could wait.
        var gone: Set<Int> = []
        var listeners: [Int: @Sendable (RemovalEvent) -> Void] = [:]
    }

    private let state = Mutex(State())
    /// Whether the daemon is about to end. gRPC then reports that every call has ended, although its client still
    /// waits.
    private let isEnding: @Sendable () -> Bool

    /// The whole id of the sandbox or container.
    let id: String

    init(_ id: String, isEnding: @escaping @Sendable () -> Bool) {
        self.id = id
        self.isEnding = isEnding
    }

    func tell(_ event: RemovalEvent) {
        let listeners = state.withLock { state in
            if case .planned(let plan) = event { state.plan = plan }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener(event) }
    }

    func finish(_ answer: Answer) {
        let waiting = state.withLock { state in
            state.answer = answer
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: answer) }
    }

    /// Tells every waiting call that the job will not end in this process.
    func leave() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: nil) }
    }

    /// Waits for the end of the job. Returns nil if the call ends first, or if `leave` is called; the job then goes on.
    ///
    /// - Parameter listener: Receives the events from here on, preceded by the plan if there is one already.
    func waitForAnswer(listener: (@Sendable (RemovalEvent) -> Void)? = nil) async -> Answer? {
        let (ticket, plan) = state.withLock { state in
            state.lastTicket += 1
            state.listeners[state.lastTicket] = listener
            return (state.lastTicket, state.plan)
        }
        if let plan { listener?(.planned(plan)) }
        defer { state.withLock { $0.listeners[ticket] = nil } }
        return await withRPCCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Answer?? = state.withLock { state in
                    if let answer = state.answer { return .some(answer) }
                    if state.gone.remove(ticket) != nil { return .some(nil) }
                    state.waiting[ticket] = continuation
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancelRPC: { [self] in
            if isEnding() { return }
            let continuation = state.withLock { state in
                let continuation = state.waiting.removeValue(forKey: ticket)
                if continuation == nil, state.answer == nil { state.gone.insert(ticket) }
                return continuation
            }
            continuation?.resume(returning: nil)
        }
    }
}
