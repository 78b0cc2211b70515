internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// Carries out a plan. Every step begins as soon as the steps that it depends on have succeeded, in parallel as far as
/// there are helpers. A failed step stops only the steps that depend on it.
struct PlanExecutor: Sendable {
    let plan: RemovalPlan
    let registry: Registry
    let helpers: HelperSession
    let roots: RootMap
    let life: LifeObserver
    let options: RemovalOptions
    /// When the removal began; step records count their times from here.
    let start: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant
    /// Whether a waiting call wants containers to have no more time to end.
    let isHurried: @Sendable () -> Bool
    /// The pod's network namespaces whose remaining processes the report should name.
    let networks: [NetworkNamespace]
    /// The pod's network namespace, if a process of it was seen; `marks` tells which processes share a namespace.
    let trace: NetworkTrace?
    let marks: SingleFlight<NetworkMarks>
    let gone: GoneContainers
    let tell: @Sendable (RemovalEvent) -> Void
    /// Warns of the pod's monitors that live on, so that the report that is stored says so.
    let nameMonitors: @Sendable ([StepRecord]) async -> Void
    /// Makes the report of the steps so far. It is stored when the sandbox is forgotten.
    let report: @Sendable ([StepRecord]) -> RemovalReport

    /// Runs all steps, and returns their records in the plan's order.
    func run() async -> [StepRecord] {
        async let _ = prepareLater()
        var schedule = Schedule(plan, containers: containerLimit)
        await withTaskGroup(of: Schedule.Event.self) { group in
            while true {
                for (step, cause) in schedule.takeBlocked() { schedule.record(skip(step, because: cause)) }
                for step in schedule.takeReady() {
                    // Only `forget` needs the records. While another task holds them, an append would copy them all.
                    let known = if case .forget = step.action { schedule.finished } else { [StepRecord]() }
                    group.addTask { .finished(await perform(step, after: known)) }
                }
                if schedule.takeTimer() {
                    group.addTask {
                        try? await Task.sleep(for: Self.usualEnd)
                        return .waited
                    }
                }
                guard schedule.hasRunning, let event = await group.next() else { break }
                schedule.apply(event)
            }
            group.cancelAll()
        }
        return schedule.finished
    }

    /// When containers are killed, only one more than there are helpers begins at first, because containers that die at
    /// once delay each other in the kernel. A slow one does not delay others for long, because the limit rises.
    private var containerLimit: Schedule.ContainerLimit {
        let most = options.containersAtOnce
        return Schedule.ContainerLimit(
            first: plan.purpose.removes ? helpers.most + 1 : most, more: helpers.most, most: most)
    }

    /// Looks at the runtime's state of the infra container while the workloads, which end first, are being killed.
    private func prepareLater() async {
        for step in plan.steps where !step.dependencies.isEmpty {
            guard case .end = step.action, let container = try? container(step) else { continue }
            await life.prepare(container) { (request) throws(StepFailure) in
                try await call(request, atMost: options.runtimeCall)
            }
        }
    }

    private func skip(_ step: Step, because cause: Step) -> StepRecord {
        let record = StepRecord(
            step, .skipped, detail: "not tried, because this step did not succeed: \(cause)", start: .now - start,
            duration: .zero)
        tell(.finished(step, record))
        return record
    }

    private func perform(_ step: Step, after records: [StepRecord]) async -> StepRecord {
        tell(.started(step))
        let began = ContinuousClock.now
        var record: StepRecord
        do throws(StepFailure) {
            let success = try await carryOut(step, began, records)
            record = StepRecord(
                step, success.already ? .alreadyDone : .done, detail: success.detail, start: began - start)
            record.entries = success.entries
        } catch {
            record = StepRecord(step, .failed, detail: error.reason, start: began - start)
            record.cause = error.cause
        }
        record.duration = .now - began
        tell(.finished(step, record))
        return record
    }

    private func carryOut(
        _ step: Step, _ began: ContinuousClock.Instant, _ records: [StepRecord]
    ) async throws(StepFailure) -> StepSuccess {
        switch step.action {
        case .markRemoving:
            try await write(isSpare: true) { (registry, deadline) throws(RegistryError) in
                try registry.markRemoving(plan.sandbox.id, until: deadline)
            }
        case .markNotReady:
            try await write { (registry, deadline) throws(RegistryError) in
                try registry.markNotReady(plan.sandbox.id, until: deadline)
            }
        case .releaseName:
            let container = try container(step)
            // Other pods' removals go by the containers that share a cgroup, so these are not kept for longer.
            if plan.purpose == .remove, !life.mayInherit(container) {
                gone.add(container.id)
            } else {
                try await write { (registry, deadline) throws(RegistryError) in
                    try registry.forgetContainer(container.id, until: deadline)
                }
            }
        case .forget:
            await nameMonitors(records)
            let done = StepRecord(step, .done, start: began - start)
            let report = report(records + [done])
            try await write { (registry, deadline) throws(RegistryError) in
                try registry.forgetSandbox(plan.sandbox.id, with: gone.ids, report: report.stored, until: deadline)
            }
        case .end(_, let signal, let grace):
            return try await end(container(step), signal: signal, grace: grace)
        case .delete:
            return try await delete(container(step))
        case .unmount(let directory, let mounts):
            return try await unmount(mounts, beneath: directory)
        case .unmountShm(let path):
            return try await unmountShm(path)
        case .removeDirectory(let directory):
            return try await remove(directory, step)
        case .removeCgroups(let cgroups):
            return try await remove(cgroups)
        case .beforeNamespaces:
            try await callHook()
        case .deleteNamespace(let pin):
            return try await delete(pin)
        }
        return .done
    }

    private func container(_ step: Step) throws(StepFailure) -> Container {
        guard let container = plan.containers.first(where: { $0.id == step.subject.id }) else {
            throw StepFailure("the plan has no container \(step.subject.id)")
        }
        return container
    }

    /// Runs a registry transaction. It waits for other processes until the removal's deadline, which `body` is given.
    ///
    /// - Parameter isSpare: Whether the removal goes on without it, and therefore waits no longer than
    ///   `Registry.busyTimeout`.
    func write(
        isSpare: Bool = false,
        _ body: @escaping @Sendable (Registry, ContinuousClock.Instant) throws(RegistryError) -> Void
    ) async throws(StepFailure) {
        let time = isSpare ? CallTime(ofSpareWriteUntil: deadline) : CallTime(options.timeout, until: deadline)
        do throws(RemovalError) {
            try await time.writing { [registry] (deadline) throws(RegistryError) in try body(registry, deadline) }
        } catch {
            var failure = StepFailure("\(error)")
            failure.cause = StepCause(kind: .registry)
            throw failure
        }
    }

    /// Whether the installed helpers speak a version of the protocol. Helpers of an earlier release may not.
    func helpersSpeak(_ version: UInt16) -> Bool {
        helpers.welcome.version >= version
    }

    /// Calls a helper, within the removal's deadline.
    ///
    /// - Parameters:
    ///   - slice: How long the helper may work before it answers with what it has done by then, if it can.
    ///   - long: Whether the calls of all other removals go first.
    func call(
        _ request: Request, atMost limit: Duration, slice: Duration? = nil, long: Bool = false
    ) async throws(StepFailure) -> Reply {
        let left = deadline - .now
        guard left > .zero else {
            throw StepFailure("the time for the whole removal (\(options.timeout.formattedSeconds)) is over")
        }
        do throws(HelperError) {
            return try await helpers.call(
                request, deadline: min(slice ?? limit, limit, left), patience: min(limit, left),
                since: long ? .now : start, until: deadline)
        } catch {
            throw StepFailure(error)
        }
    }
}

extension StepRecord {
    init(_ step: Step, _ outcome: Outcome, detail: String? = nil, start: Duration, duration: Duration = .zero) {
        self.init(
            number: step.number, verb: step.verb, subject: step.subject.id, target: step.target, outcome: outcome,
            detail: detail, start: start, duration: duration)
    }
}
