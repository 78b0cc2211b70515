internal import EventLoop
internal import FoundationEssentials
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

// At most one call works on a sandbox at a time, across all processes that share the registry.

/// What a call works with once no other call works on the same sandbox.
struct SoleWork: Sendable {
    let hold: SandboxHold
    /// nil if the sandbox is no longer registered.
    let sandbox: Sandbox?
    let records: ContainerRecords
    /// The latest report of a sandbox that is no longer registered.
    let last: StoredReport?
    /// The reports of the work that this call waited for, newest first.
    let awaited: [StoredReport]
    /// The deadline for the whole call.
    let deadline: ContinuousClock.Instant
    /// Whether another caller is waiting that wants the containers to get no more time to end.
    let isHurried: @Sendable () -> Bool
}

extension Orchestrator {
    typealias Telling = @Sendable (RemovalEvent) -> Void

    /// Runs `body` once no other call works on the sandbox, or returns another call's result if that answers this call.
    ///
    /// The work runs in a task of its own, because the caller's task may be cancelled.
    ///
    /// - Parameter id: The whole id.
    func alone(
        on id: String, _ wanted: Wanted, _ options: RemovalOptions, _ tell: @escaping Telling,
        _ body: @escaping @Sendable (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let deadline = ContinuousClock.now + options.timeout
        // The event loop runs the task, because it spends most of its time waiting.
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

    /// As `alone`, once no other call of this process works on the sandbox; calls of other processes still may.
    private func first(
        on id: String, _ wanted: Wanted, _ options: RemovalOptions, _ deadline: ContinuousClock.Instant,
        _ tell: Telling, _ body: @Sendable (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let patience = ContinuousClock.now + wanted.grace
        let known: Int64
        switch try await attempt(id, wanted, waitedSince: nil, deadline, options, body) {
        case .answered(let answer): return answer
        case .held(let number): known = number
        }
        tell(.waiting(sandbox: id))
        var wish: SandboxHold?
        while true {
            guard deadline > .now else { throw await busy(id, options) }
            if wish == nil, patience <= .now || queue.isHurried(id) { wish = await hurry(id, until: deadline) }
            guard await watch.waitUntilFree(id, until: min(deadline, .now + .milliseconds(250))) else { continue }
            if case .answered(let answer) = try await attempt(id, wanted, waitedSince: known, deadline, options, body) {
                return answer
            }
            // Several processes may wake at once; a random pause makes them retry one after another.
            try? await Task.sleep(for: .microseconds(Int.random(in: 100...3000)))
        }
    }

    private enum Attempt {
        case answered(RemovalAnswer)
        /// Another process works on the sandbox. Its report will have a higher number.
        case held(known: Int64)
    }

    /// - Parameter known: The number of the last report before this call began to wait; nil if it has not waited.
    private func attempt(
        _ id: String, _ wanted: Wanted, waitedSince known: Int64?, _ deadline: ContinuousClock.Instant,
        _ options: RemovalOptions, _ body: (SoleWork, MountTable) async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> Attempt {
        // Calls that give containers time to end take long, so they have places of their own.
        let places = wanted.grace > .zero ? patientPlaces : self.places
        guard await places.take(until: deadline) else {
            throw .overdue("a place beside the work on other sandboxes", after: options.timeout)
        }
        defer { places.give() }
        // The mounts are read concurrently with the records, but only on the first attempt: after another process's
        // work, mounts read before the lock was taken would be out of date.
        async let early = known == nil ? mountsSeen(until: max(deadline, .now + Self.moment)) : nil
        let answered = try await Threads.registry.run(until: max(deadline, .now + Self.moment)) {
            () throws(RemovalError) in
            try self.take(id, wanted, waitedSince: known, deadline)
        }
        let (work, isAfterOther): (SoleWork, Bool)
        switch answered {
        case nil: throw .overdue("the registry's answer", after: options.timeout)
        case .held(let known): return .held(known: known)
        case .work(let taken, let afterOther): (work, isAfterOther) = (taken, afterOther)
        }
        if let answer = answerOfOther(work.awaited, wanted) {
            await release(work)
            return .answered(answer)
        }
        let mounts =
            if !isAfterOther, let early = await early { early } else {
                await mountsSeen(until: max(deadline, .now + Self.moment))
            }
        do throws(RemovalError) {
            guard let mounts else { throw .overdue("the list of mounts", after: options.timeout) }
            let answer = try await body(work, try mounts.get())
            await release(work)
            return .answered(answer)
        } catch {
            await release(work)
            throw error
        }
    }

    /// Releases the lock, which writes to the lock file.
    private func release(_ work: SoleWork) async { await Threads.registry.run { work.hold.release() } }

    /// The longest that an observation takes unless something is wrong. A call with less time left still gets this
    /// long, so that it can at least report what has to be done.
    static var moment: Duration { .seconds(2) }

    private enum Taken: Sendable {
        /// - Parameter afterOther: Whether another process was seen to hold the lock before.
        case work(SoleWork, afterOther: Bool)
        case held(known: Int64)
    }

    /// Takes the lock if nobody holds it, and reads the records.
    private func take(
        _ id: String, _ wanted: Wanted, waitedSince asked: Int64?, _ deadline: ContinuousClock.Instant
    ) throws(RemovalError) -> Taken {
        if asked == nil, let hold = try lock(id, wanted, deadline) {
            return .work(try soleWork(on: id, hold, awaited: [], deadline), afterOther: false)
        }
        // Read before the lock is tried again: whoever holds it then stores a report with a higher number. If its report
        // was stored already, this call does by itself whatever is left to do.
        let known =
            if let asked { asked } else {
                try fromRegistry { (registry) throws(RegistryError) in try registry.lastReportNumber() }
            }
        guard let hold = try lock(id, wanted, deadline) else { return .held(known: known) }
        return .work(
            try soleWork(on: id, hold, awaited: try reports(of: id, after: known), deadline), afterOther: true)
    }

    private func lock(
        _ id: String, _ wanted: Wanted, _ deadline: ContinuousClock.Instant
    ) throws(RemovalError) -> SandboxHold? {
        let holder = LockHolder(pid: own.pid, startTime: own.startTime, work: wanted.purpose.rawValue)
        return try withLockFile { () throws(Errno) in try registry.lock(id, as: holder, until: deadline) }
    }

    private func soleWork(
        on id: String, _ hold: SandboxHold, awaited: [StoredReport], _ deadline: ContinuousClock.Instant
    ) throws(RemovalError) -> SoleWork {
        let (pod, queue) = (try podRecords(id), queue)
        return SoleWork(
            hold: hold, sandbox: pod?.sandbox, records: pod?.containers ?? ContainerRecords(),
            last: pod == nil ? try lastReport(of: id) : nil, awaited: awaited, deadline: deadline,
            isHurried: { queue.isHurried(id) || hold.isHurried })
    }

    private func withLockFile<Value>(_ body: () throws(Errno) -> Value) throws(RemovalError) -> Value {
        do { return try body() } catch { throw .lock(path: registry.lockPath, errno: error.number) }
    }

    /// The result of the removal that this call waited for, if it answers this call.
    ///
    /// All recent reports are checked: other calls may have worked in between, and their newer reports may answer
    /// something else.
    private func answerOfOther(_ reports: [StoredReport], _ wanted: Wanted) -> RemovalAnswer? {
        for stored in reports {
            if let report = RemovalReport(stored), wanted.isAnswered(by: report) {
                return .finished(report, joined: true)
            }
        }
        return nil
    }

    /// Asks whoever works on the sandbox to give no more grace. It is only a wish, so its failure is ignored.
    private func hurry(_ id: String, until deadline: ContinuousClock.Instant) async -> SandboxHold? {
        await Threads.registry.run(until: deadline) { try? self.registry.hurry(id) } ?? nil
    }

    private func busy(_ id: String, _ options: RemovalOptions) async -> RemovalError {
        let holder = await Threads.registry.run(until: .now + .seconds(1)) { self.nameOfWorker(on: id) }
        return .busy(sandbox: id, after: options.timeout, holder: holder ?? nil)
    }

    /// The process that works on a sandbox, for people to read; nil if that is unknown.
    private func nameOfWorker(on id: String) -> String? {
        guard let worker = worker(on: id) else { return nil }
        let stopped = worker.isStopped ? ", which is stopped (kill -CONT \(worker.pid) lets it go on)," : ""
        return "process \(worker.pid)\(stopped)"
    }

    /// The process that works on a sandbox; nil if none does, or if it is unknown.
    func worker(on id: String) -> (pid: Int32, isStopped: Bool)? {
        guard let holder = try? registry.lockHolder(of: id), let status = try? ProcessStatus.of(pid: holder.pid),
            status.startTime == holder.startTime
        else { return nil }
        return (holder.pid, status.state == "T" || status.state == "t")
    }
}

/// This process's identity, as written into locks.
let own: (pid: Int32, startTime: UInt64) = (ownPID, (try? ProcessStatus.startTime(of: ownPID)).flatMap { $0 } ?? 0)
