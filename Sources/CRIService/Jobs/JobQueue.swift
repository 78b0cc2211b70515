internal import SandboxRemoval
internal import Synchronization

/// What this daemon has under way. Calls for the same thing share it, also when they were begun by callers that are gone; so many
/// different ones run at once, the others in the order in which they came.
final class JobQueue: Sendable {
    enum Verb: String, Sendable { case removeSandbox, stopSandbox, removeContainer, stopContainer }

    struct Key: Hashable, Sendable {
        var verb: Verb
        /// The whole id.
        var id: String
        /// A stop with less patience does not wait for one with more.
        var grace: Duration = .zero
    }

    /// Too much waits already.
    struct Full: Error {}

    private struct State {
        var jobs: [Key: RemovalJob] = [:]
        var running = 0
        /// Begins what has to wait, first come first served.
        var waiting: [@Sendable () -> Void] = []
        var idle: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastTicket = 0
    }

    private let state = Mutex(State())
    /// 0: serving; 1: no new calls; 2: and no more waiting.
    private let ending = Atomic(0)
    private let atOnce: Int
    private let bound: Int
    /// Sees every event and every end.
    private let observer: any JobObserver

    init(atOnce: Int, waiting: Int, observer: any JobObserver) {
        self.atOnce = max(1, atOnce)
        bound = self.atOnce + max(0, waiting)
        self.observer = observer
    }

    var count: Int { state.withLock { $0.jobs.count } }

    func ids(of verb: Verb) -> Set<String> {
        state.withLock { state in Set(state.jobs.keys.lazy.filter { $0.verb == verb }.map(\.id)) }
    }

    /// The job with this key; it is begun where there is none.
    ///
    /// - Parameter isBounded: false for what must be done whether or not it is asked for.
    func job(
        _ key: Key, isBounded: Bool = true,
        _ body:
            @escaping @Sendable (
                _ tell: @escaping @Sendable (RemovalEvent) -> Void
            ) async throws(RemovalError) -> RemovalAnswer
    ) throws(Full) -> RemovalJob {
        let found = state.withLock { state -> (job: RemovalJob, begin: (@Sendable () -> Void)?)? in
            if let job = state.jobs[key] { return (job, nil) }
            if isBounded, state.jobs.count >= bound { return nil }
            let job = RemovalJob(key.id) { [self] in ending.load(ordering: .relaxed) == 1 }
            state.jobs[key] = job
            let begin: @Sendable () -> Void = { [self] in Task.detached { await self.run(key, job, body) } }
            guard state.running < atOnce else {
                state.waiting.append(begin)
                return (job, nil)
            }
            state.running += 1
            return (job, begin)
        }
        guard let found else { throw Full() }
        found.begin?()
        return found.job
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
        let next = state.withLock { state -> (@Sendable () -> Void)? in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            state.running -= 1
            return nil
        }
        next?()
        observer.ended(key, answer)
        // Who asks from here on begins anew.
        let idle = state.withLock { state in
            state.jobs[key] = nil
            guard state.jobs.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.idle = [:] }
            return Array(state.idle.values)
        }
        job.finish(answer)
        for continuation in idle { continuation.resume() }
    }

    var isOver: Bool { ending.load(ordering: .relaxed) == 2 }

    /// From here on calls wait for their answers even where gRPC says that they have ended.
    func beginEnding() { ending.store(1, ordering: .relaxed) }

    /// Answers all who wait that they have to call again.
    func leave() {
        ending.store(2, ordering: .relaxed)
        for job in state.withLock({ Array($0.jobs.values) }) { job.leave() }
    }

    /// Waits until nothing is under way, at most for `limit`: true where that is so.
    func waitUntilIdle(_ limit: Duration) async -> Bool {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            state.withLock { $0.idle.removeValue(forKey: ticket) }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.jobs.isEmpty { state.idle[ticket] = continuation }
                return state.jobs.isEmpty
            }
            if isIdle { continuation.resume() }
        }
        timer.cancel()
        return count == 0
    }
}

/// Is told of every job.
protocol JobObserver: Sendable {
    func began(_ key: JobQueue.Key)
    func saw(_ event: RemovalEvent, _ key: JobQueue.Key)
    func ended(_ key: JobQueue.Key, _ answer: RemovalJob.Answer)
}
