internal import EventLoop
internal import SandboxRemoval
internal import Synchronization

/// The jobs of this daemon. Calls for the same key share one job, even if the caller that began it has left. A limited
/// number of jobs runs at once; the others begin in the order in which they came.
final class JobQueue: Sendable {
    enum Verb: String, Sendable { case removeSandbox, stopSandbox, removeContainer, stopContainer }

    struct Key: Hashable, Sendable {
        var verb: Verb
        /// The whole id of the sandbox or container.
        var id: String
        /// Part of the key, so that a stop with a shorter grace does not wait for one with a longer grace.
        var grace: Duration = .zero
    }

    /// The queue is full.
    struct Full: Error {}

    private struct Entry {
        var job: RemovalJob
        var begin: @Sendable () -> Void
    }

    private struct State {
        var schedule: JobSchedule<Entry>
        /// Calls of `waitUntilIdle`.
        var idle: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastTicket = 0
    }

    private let state: Mutex<State>
    /// 0 while serving; 1 once no new calls are accepted; 2 once calls no longer wait for their jobs either.
    private let ending = Atomic(0)
    /// Receives every event and every end of a job.
    private let observer: any JobObserver

    init(atOnce: Int, waiting: Int, observer: any JobObserver) {
        state = Mutex(State(schedule: JobSchedule(atOnce: atOnce, waiting: waiting)))
        self.observer = observer
    }

    var count: Int { state.withLock { $0.schedule.count } }

    func ids(of verb: Verb) -> Set<String> {
        state.withLock { $0.schedule.ids(of: verb) }
    }

    /// Returns the job with this key, and begins it if there is none.
    ///
    /// - Parameter isBounded: false for a job that must be done even if the queue is full.
    func job(
        _ key: Key, isBounded: Bool = true,
        _ body:
            @escaping @Sendable (
                _ tell: @escaping @Sendable (RemovalEvent) -> Void
            ) async throws(RemovalError) -> RemovalAnswer
    ) throws(Full) -> RemovalJob {
        let admission = state.withLock { state in
            state.schedule.admit(key, isBounded: isBounded) {
                let job = RemovalJob(key.id) { [self] in ending.load(ordering: .relaxed) == 1 }
                return Entry(job: job) { Task.detached { await self.run(key, job, body) } }
            }
        }
        switch admission {
        case .joins(let entry), .waits(let entry): return entry.job
        case .begins(let entry):
            entry.begin()
            return entry.job
        case .refused: throw Full()
        }
    }

    private func run(
        _ key: Key, _ job: RemovalJob,
        _ body: @Sendable (@escaping @Sendable (RemovalEvent) -> Void) async throws(RemovalError) -> RemovalAnswer
    ) async {
        let observer = observer
        observer.began(key)
        let answer: RemovalJob.Answer
        do throws(RemovalError) {
            answer = .success(
                try await body { event in
                    observer.saw(event, key)
                    job.tell(event)
                })
        } catch {
            answer = .failure(error)
        }
        state.withLock { $0.schedule.end() }?.begin()
        observer.ended(key, answer)
        // A call that arrives from here on begins a new job.
        let idle = state.withLock { state in
            state.schedule.forget(key)
            guard state.schedule.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.idle = [:] }
            return Array(state.idle.values)
        }
        job.finish(answer)
        for continuation in idle { continuation.resume() }
    }

    var isOver: Bool { ending.load(ordering: .relaxed) == 2 }

    /// From here on calls wait for their answers even if gRPC reports that they have ended.
    func beginEnding() { ending.store(1, ordering: .relaxed) }

    /// Tells every waiting call that its client has to call again.
    func leave() {
        ending.store(2, ordering: .relaxed)
        for job in state.withLock({ $0.schedule.all.map(\.job) }) { job.leave() }
    }

    /// Waits until no job is under way, at most for `limit`. Returns whether no job is left.
    func waitUntilIdle(_ limit: Duration) async -> Bool {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        let alarm = Alarm(at: .now + limit) { self.state.withLock { $0.idle.removeValue(forKey: ticket) }?.resume() }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.schedule.isEmpty { state.idle[ticket] = continuation }
                return state.schedule.isEmpty
            }
            if isIdle { continuation.resume() }
        }
        alarm.cancel()
        return count == 0
    }
}

/// Receives the events of every job.
protocol JobObserver: Sendable {
    func began(_ key: JobQueue.Key)
    func saw(_ event: RemovalEvent, _ key: JobQueue.Key)
    func ended(_ key: JobQueue.Key, _ answer: RemovalJob.Answer)
}
