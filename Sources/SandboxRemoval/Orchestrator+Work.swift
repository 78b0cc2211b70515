internal import EventLoop
internal import FoundationEssentials
internal import NodeObservation
internal import SandboxRegistry

// One call works on a sandbox at a time, in all processes that share the registry.

/// What a call has once it is the only one that works on a sandbox.
struct SoleWork: Sendable {
    let hold: SandboxHold
    /// Nil: it is not registered any more.
    let sandbox: Sandbox?
    let records: ContainerRecords
    /// The newest reports, newest first, where another was waited for or the sandbox is not registered any more.
    let reports: [StoredReport]
    /// When all has to be done.
    let deadline: ContinuousClock.Instant
    /// Whether somebody waits who wants containers to have no more time to end.
    let isHurried: @Sendable () -> Bool
}

extension Orchestrator {
    typealias Telling = @Sendable (RemovalEvent) -> Void

    /// Does `body` when no other call works on the sandbox, or returns the answer that another's work is to this one.
    ///
    /// It happens in a task of its own: the caller's may be cancelled.
    ///
    /// - Parameter id: The whole id.
    func alone(
        on id: String, _ wanted: Wanted, _ options: RemovalOptions, _ tell: @escaping Telling,
        _ body: @escaping @Sendable (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let deadline = ContinuousClock.now + options.timeout
        // What it does is mostly to wait.
        let task = Task(executorPreference: EventLoop.preferred) { () -> Result<RemovalAnswer, RemovalError> in
            while true {
                let turn = await self.queue.enter(id, wanted, until: deadline) { tell(.waiting(sandbox: id)) }
                switch turn {
                case nil: return .failure(await self.busy(id, options))
                case .ended(let ended): if let answer = ended.answer(to: wanted) { return answer }
                case .first:
                    let result: Result<RemovalAnswer, RemovalError>
                    do throws(RemovalError) {
                        result = .success(try await self.first(on: id, wanted, options, deadline, tell, body))
                    } catch {
                        result = .failure(error)
                    }
                    self.queue.leave(
                        id, PodQueue.Ended(wanted: wanted, result: result, ranOutOfTime: deadline <= .now))
                    return result
                }
            }
        }
        return try await task.value.get()
    }

    /// The same, where no other call of this process works on it; those of other processes may.
    private func first(
        on id: String, _ wanted: Wanted, _ options: RemovalOptions, _ deadline: ContinuousClock.Instant,
        _ tell: Telling, _ body: @Sendable (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let asked = Date()
        let patience = ContinuousClock.now + wanted.grace
        if let answer = try await attempt(id, wanted, waitedSince: nil, deadline, options, body) { return answer }
        tell(.waiting(sandbox: id))
        var wish: SandboxHold?
        while true {
            guard deadline > .now else { throw await busy(id, options) }
            if wish == nil, patience <= .now || queue.isHurried(id) { wish = await hurry(id, until: deadline) }
            guard await watch.waitUntilFree(id, until: min(deadline, .now + .milliseconds(250))) else { continue }
            if let answer = try await attempt(id, wanted, waitedSince: asked, deadline, options, body) { return answer }
            // Several that were woken at once come one after the other.
            try? await Task.sleep(for: .microseconds(Int.random(in: 100...3000)))
        }
    }

    /// Nil where another process works on it.
    private func attempt(
        _ id: String, _ wanted: Wanted, waitedSince asked: Date?, _ deadline: ContinuousClock.Instant,
        _ options: RemovalOptions, _ body: (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer? {
        // Those that let containers end by themselves take long: they have places of their own.
        let places = wanted.grace > .zero ? patientPlaces : self.places
        guard await places.take(until: deadline) else {
            throw .overdue("a place beside the work on other sandboxes", after: options.timeout)
        }
        defer { places.give() }
        // While the records are read. Seen before others had the lock it would be too old.
        async let early = asked == nil ? mountsSeen(until: max(deadline, .now + Self.moment)) : nil
        let answered = try await Threads.registry.run(until: max(deadline, .now + Self.moment)) {
            () throws(RemovalError) in
            try self.take(id, wanted, waited: asked != nil, deadline)
        }
        guard let answered else { throw .overdue("the registry's answer", after: options.timeout) }
        guard let work = answered.work else { return nil }
        if let asked, let answer = answerOfOther(work.reports, wanted, since: asked) {
            await release(work)
            return answer
        }
        let mounts =
            if let early = await early { early } else { await mountsSeen(until: max(deadline, .now + Self.moment)) }
        do throws(RemovalError) {
            guard let mounts else { throw .overdue("the list of mounts", after: options.timeout) }
            let answer = try await body(work, try mounts.get())
            await release(work)
            return answer
        } catch {
            await release(work)
            throw error
        }
    }

    /// Lets the lock go, which writes to the lock file.
    private func release(_ work: SoleWork) async { await Threads.registry.run { work.hold.release() } }

    /// What looking takes at the most, unless something is wrong. A call with less time hears at least what there is to do.
    static var moment: Duration { .seconds(2) }

    private struct Taken: Sendable { let work: SoleWork? }

    /// Takes the lock if nobody holds it, and reads the records.
    private func take(
        _ id: String, _ wanted: Wanted, waited: Bool, _ deadline: ContinuousClock.Instant
    ) throws(RemovalError) -> Taken {
        let hold = try withLockFile { () throws(LockError) in
            try registry.lock(id, as: LockHolder(pid: own.pid, startTime: own.startTime, work: wanted.purpose.rawValue))
        }
        guard let hold else { return Taken(work: nil) }
        let sandbox = try find(id)
        let queue = queue
        return Taken(
            work: SoleWork(
                hold: hold, sandbox: sandbox,
                records: try sandbox.map { (sandbox) throws(RemovalError) in try containerRecords(of: sandbox) }
                    ?? ContainerRecords(),
                reports: waited || sandbox == nil ? try reports(of: id) : [], deadline: deadline,
                isHurried: { queue.isHurried(id) || hold.isHurried }))
    }

    private func withLockFile<Value>(_ body: () throws(LockError) -> Value) throws(RemovalError) -> Value {
        do { return try body() } catch { throw .lock(path: registry.lockPath, errno: error.errno) }
    }

    /// The answer of the removal that this call has waited for, if that is an answer to this call.
    ///
    /// Others may have worked in between, whose reports are newer and answer something else.
    private func answerOfOther(_ reports: [StoredReport], _ wanted: Wanted, since asked: Date) -> RemovalAnswer? {
        for stored in reports where stored.startedAt.addingTimeInterval(stored.duration) >= asked {
            if let report = RemovalReport(stored), wanted.isAnswered(by: report) {
                return .finished(report, joined: true)
            }
        }
        return nil
    }

    /// Has whoever works on the sandbox give no more grace. A wish alone, so that its failure is no failure.
    private func hurry(_ id: String, until deadline: ContinuousClock.Instant) async -> SandboxHold? {
        await Threads.registry.run(until: deadline) { try? self.registry.hurry(id) } ?? nil
    }

    private func busy(_ id: String, _ options: RemovalOptions) async -> RemovalError {
        let holder = await Threads.registry.run(until: .now + .seconds(1)) { self.nameOfWorker(on: id) }
        return .busy(sandbox: id, after: options.timeout, holder: holder ?? nil)
    }

    /// Who works on a sandbox, for people: nil where that cannot be said.
    private func nameOfWorker(on id: String) -> String? {
        guard let worker = worker(on: id) else { return nil }
        let stopped = worker.isStopped ? ", which is stopped (kill -CONT \(worker.pid) lets it go on)," : ""
        return "process \(worker.pid)\(stopped)"
    }

    /// The process that works on a sandbox; nil where none does, or it is not known.
    func worker(on id: String) -> (pid: Int32, isStopped: Bool)? {
        guard let holder = try? registry.lockHolder(of: id), let status = try? ProcessStatus.of(pid: holder.pid),
            status.startTime == holder.startTime
        else { return nil }
        return (holder.pid, status.state == "T" || status.state == "t")
    }
}

/// This process, as it signs locks.
let own: (pid: Int32, startTime: UInt64) = (ownPID, (try? ProcessStatus.startTime(of: ownPID)).flatMap { $0 } ?? 0)
