internal import EventLoop
import FoundationEssentials
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

/// One removal or stop, from its plan to its report.
final class RemovalRun: Sendable {
    private let orchestrator: Orchestrator
    private let options: RemovalOptions
    private let tell: @Sendable (RemovalEvent) -> Void
    private let isHurried: @Sendable () -> Bool
    private let deadline: ContinuousClock.Instant
    private let startedAt = Date()
    private let start = ContinuousClock.now
    private let warnings = Mutex<[String]>([])
    private let gone = GoneContainers()
    let hasLookedForMonitors = Mutex(false)

    /// - Parameter work: nil if other calls may work on the sandbox at the same time.
    init(
        _ orchestrator: Orchestrator, _ options: RemovalOptions, _ work: SoleWork?,
        _ tell: @escaping @Sendable (RemovalEvent) -> Void
    ) {
        self.orchestrator = orchestrator
        self.options = options
        isHurried = if let work { work.isHurried } else { { false } }
        deadline = work?.deadline ?? .now + options.timeout
        self.tell = tell
    }

    func carryOut(
        _ sandbox: Sandbox, _ records: ContainerRecords, _ mounts: MountTable, _ purpose: RemovalPlan.Purpose,
        _ planning: @escaping @Sendable (Sandbox, [Container], SandboxSnapshot) -> RemovalPlan
    ) async throws(RemovalError) -> RemovalReport {
        let helpers: HelperSession
        do throws(HelperError) {
            helpers = try await orchestrator.helpers.session(until: deadline)
        } catch {
            throw .helper(error)
        }
        let roots = RootMap(helpers.welcome)
        var (known, mounts) = (records, mounts)
        if options.assumesDeath { try await lookForHolders(of: sandbox, known, roots) }
        // Starts helpers during the first runtime call, so that they are ready for steps that run in parallel.
        orchestrator.helpers.warm(known.containers.count)
        while true {
            let (records, table) = (known, mounts)
            let found = try await Threads.node.run(until: lookEnd) { [orchestrator] () throws(RemovalError) in
                let seen = try orchestrator.observe(sandbox, records, table)
                let plan = planning(sandbox, records.containers, seen)
                return (plan: plan, trace: Self.trace(plan, seen))
            }
            guard let (plan, trace) = found else { throw .overdue("a look at the node", after: options.timeout) }
            tell(.planned(plan))
            let before =
                options.namesHolders ? await Threads.node.run(until: lookEnd) { try? self.orchestrator.mounts() } : nil
            var networks: [NetworkNamespace] = []
            if let before = before ?? nil {
                networks = await Threads.node.run(until: lookEnd) { self.networks(plan, before) } ?? []
            }
            let steps = await executor(plan, helpers, roots, known, mounts, networks, trace).run()
            await nameMonitors(of: plan, after: steps)
            if let before = before ?? nil {
                _ = await Threads.looking.run(until: lookEnd) { self.nameHolders(of: plan, steps, before) }
            }
            var report = report(plan, steps)
            if report.outcome != .removed { await forgetContainers() }
            // `markRemoving` keeps new containers out, but the first steps run beside it, so one may have been added.
            let now =
                report.outcome == .incomplete ? try? await orchestrator.recordsNow(of: sandbox, until: lookEnd) : nil
            let ids = Set(known.containers.map(\.id))
            if let now, purpose == .remove, now.containers.contains(where: { !ids.contains($0.id) }) {
                warn("a container was registered while the removal began; the removal includes it")
                known = now
                if options.assumesDeath { try await lookForHolders(of: sandbox, known, roots) }
                guard let seen = await orchestrator.mountsSeen(until: lookEnd) else {
                    throw .overdue("the list of mounts", after: options.timeout)
                }
                mounts = try seen.get()
                continue
            }
            if report.outcome != .removed, purpose.isOfSandbox {
                await keep(report)
                report.warnings = warnings.withLock { $0 }
            }
            return report
        }
    }

    /// The time limit for short work: the deadline, or a moment from now if the deadline has passed.
    var lookEnd: ContinuousClock.Instant { max(deadline, .now + Orchestrator.moment) }

    /// Throws unless a scan of every process finds that none holds anything of the pod.
    private func lookForHolders(
        of sandbox: Sandbox, _ records: ContainerRecords, _ roots: RootMap
    ) async throws(RemovalError) {
        var records = PodRecords(sandbox: sandbox, containers: records.containers)
        records.cgroupRoots = roots.cgroupRoots.map(\.path)
        let pod = records
        let look = options.lookForHolders
        let seen = await Threads.looking.run { () -> HoldersSeen in
            do { return try look(pod) } catch { return .blind("\(error)") }
        }
        switch seen {
        case .nobody: return
        case .held(let holders): throw .held(sandbox: sandbox.id, by: holders)
        case .blind(let reason): throw .blind(sandbox: sandbox.id, reason)
        }
    }

    private func executor(
        _ plan: RemovalPlan, _ helpers: HelperSession, _ roots: RootMap, _ records: ContainerRecords,
        _ mounts: MountTable, _ networks: [NetworkNamespace], _ trace: NetworkTrace?
    ) -> PlanExecutor {
        let life = LifeObserver(
            registry: orchestrator.registry, roots: roots,
            isAfterReboot: plan.isAfterReboot, mounts: mounts, sharers: records.sharers,
            heirs: records.heirs,
            together: plan.purpose.isOfSandbox ? plan.containers : [])
        return PlanExecutor(
            plan: plan, registry: orchestrator.registry, helpers: helpers, roots: roots, life: life,
            options: options, start: start, deadline: deadline, isHurried: isHurried, networks: networks, trace: trace,
            marks: orchestrator.marksNow, gone: gone, tell: tell,
            nameMonitors: { await self.nameMonitors(of: plan, after: $0) },
            report: { self.report(plan, $0) })
    }

    private func report(_ plan: RemovalPlan, _ records: [StepRecord]) -> RemovalReport {
        // A failed mark does not count: it only keeps containers out, and what matters is that nothing is left.
        let left = records.contains { !$0.succeeded && $0.verb != "mark" }
        var report = RemovalReport(
            purpose: plan.purpose, sandbox: plan.sandbox, startedAt: startedAt,
            duration: .now - start,
            outcome: left ? .incomplete : plan.purpose.removes ? .removed : .stopped, steps: records,
            warnings: warnings.withLock { $0 })
        if plan.purpose.isOfSandbox { report.hook = options.beforeNamespacesCommand }
        if left, deadline <= .now { report.ranOutOfTime = true }
        if options.assumesDeath { report.assumedDead = true }
        report.bounds = RemovalBounds(options)
        return report
    }

    /// Stores the report, if there is room. `forget` stores the report of a forgotten sandbox in its own transaction.
    private func keep(_ report: RemovalReport) async {
        let (registry, stored) = (orchestrator.registry, report.stored)
        do throws(RemovalError) {
            try await CallTime(ofSpareWriteUntil: lookEnd).writing { (deadline) throws(RegistryError) in
                try registry.keepReport(stored, until: deadline)
            }
        } catch {
            warn("the report could not be kept: \(error)")
        }
    }

    /// Forgets the containers that are gone, because their sandbox stays.
    private func forgetContainers() async {
        let (registry, ids) = (orchestrator.registry, gone.ids)
        if ids.isEmpty { return }
        do throws(RemovalError) {
            try await CallTime(ofSpareWriteUntil: lookEnd).writing { (deadline) throws(RegistryError) in
                try registry.forgetContainers(ids, until: deadline)
            }
        } catch {
            warn("the names of \(ids.joined(separator: ", ")) could not be given back: \(error)")
        }
    }

    /// The pod's network namespace, found by a living process of the pod: the infra container's, if there is one.
    private static func trace(_ plan: RemovalPlan, _ seen: SandboxSnapshot) -> NetworkTrace? {
        let isThere = plan.steps.contains { step in
            if case .deleteNamespace(let pin) = step.action { pin.kind == .network } else { false }
        }
        if !isThere || plan.isAfterReboot { return nil }
        for container in plan.containers {
            guard case .running(let process)? = seen.processes[container.id] else { continue }
            if let trace = try? NetworkTrace(of: process.pid, startTime: process.startTime) { return trace }
        }
        return nil
    }

    /// Opens the pod's network namespaces before the first step, to find later which processes live in them. Those
    /// processes keep a namespace alive after its pin is deleted.
    private func networks(_ plan: RemovalPlan, _ mounts: MountTable) -> [NetworkNamespace] {
        plan.steps.compactMap { step in
            // Only a path at which a namespace is mounted is opened.
            guard case .deleteNamespace(let pin) = step.action, pin.kind == .network, mounts.isNamespace(at: pin.path)
            else { return nil }
            if let network = try? NetworkNamespace(pinnedAt: pin.path) { return network }
            warn("this user cannot see who lives in the network namespace at \(pin.path); root can")
            return nil
        }
    }

    /// Warns of processes whose own mount namespaces keep an unmounted filesystem or namespace alive: after a stop,
    /// whose mount points stay, or through a copy at another path. A failure to find them is not an error.
    private func nameHolders(of plan: RemovalPlan, _ records: [StepRecord], _ before: MountTable) {
        let gone = Set(records.filter { $0.outcome == .done }.map(\.number))
        let points = plan.steps.filter { gone.contains($0.number) }.compactMap { step in
            switch step.action {
            case .unmountShm(let path): path
            case .deleteNamespace(let pin): pin.path
            default: nil
            }
        }
        // The same filesystem or namespace may be mounted at another path elsewhere.
        let sought = before.mounts.filter { points.contains(String(decoding: $0.mountPoint, as: UTF8.self)) }
        guard !sought.isEmpty, let views = try? MountNamespaceView.others() else { return }
        var named = 0
        for view in views {
            for kept in sought where named < Self.maximumHolders {
                let held = view.table.mounts.first {
                    $0.device == kept.device && $0.root == kept.root && $0.type == kept.type
                }
                guard let held else { continue }
                named += 1
                warn(
                    """
                    process \(view.pid) (\(printable(view.name))) keeps \(printable(kept.mountPoint)) in a mount \
                    namespace of its own, at \(printable(held.mountPoint)): it goes when that process ends
                    """)
            }
        }
    }

    private static let maximumHolders = 16

    func warn(_ text: String) {
        warnings.withLock { $0.append(text) }
        tell(.warning(text))
    }
}
