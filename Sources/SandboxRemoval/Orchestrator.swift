internal import EventLoop
import FoundationEssentials
public import HelperClient
internal import NodeObservation
public import SandboxRegistry

/// The result of a call for a sandbox.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum RemovalAnswer: Sendable {
    /// The work was carried out by this call, or by another that this call waited for (`joined`). The report says
    /// whether every step succeeded.
    case finished(RemovalReport, joined: Bool)
    /// No sandbox has this id, so there is nothing to do. `last` is the last report of a sandbox that had it.
    case unknown(id: String, last: StoredReport?)
}

/// Removes pod sandboxes: plans the steps, has helpers carry them out, and keeps the registry.
///
/// It holds no privilege. Several processes may share a registry: one works on a sandbox at a time, and the others wait
/// and get the same answer. Cancelling a task does not stop work that has begun.
public final class Orchestrator: Sendable {
    public let registry: Registry
    let helpers: HelperPool
    /// Orders this process's calls for the same sandbox; `watch` tells them when another process is done with it.
    let queue = PodQueue()
    let watch: LockWatch
    /// Limits how many sandboxes are worked on at once; further calls wait without holding a thread or a descriptor.
    let places: Places
    let patientPlaces: Places
    let marksNow = SingleFlight { () throws(ObservationError) in try NetworkMarks.all() }
    private let mountsNow = SingleFlight { () throws(ObservationError) in try MountTable.current() }

    /// - Parameter atOnce: How many sandboxes are worked on at once, at least 1. Further calls wait for one of them to
    ///   end. Ten times as many may be stopped with a grace.
    public init(registry: Registry, helpers: HelperPool, atOnce: Int = 64) {
        self.registry = registry
        self.helpers = helpers
        watch = LockWatch(registry)
        places = Places(atOnce)
        patientPlaces = Places(max(1, atOnce) * 10)
    }

    /// Opens the registry at `path`, and starts helpers in the meantime.
    ///
    /// - Parameters:
    ///   - helper: The path of `podreap-helper`.
    ///   - policy: A policy to use instead of the installed one; the helper accepts it from root only.
    ///   - atOnce: How many helpers work at once; nil for as many as suit the machine (`HelperLimits`).
    ///   - warm: How many helpers to start right away; the others are started when there is work for them.
    ///   - deadline: See `Registry.init`.
    public convenience init(
        path: String, helper: String, policy: String? = nil, atOnce: Int? = nil, warm: Int = 0,
        until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try self.init(path, .program(helper, arguments: policy.map { [$0] } ?? []), atOnce, warm, deadline)
    }

    /// Opens the registry at `path`, with helpers that a service manager starts (podreap-helper.socket).
    ///
    /// - Parameter helperSocket: The path of the socket at which the service manager hands out helpers.
    public convenience init(
        path: String, helperSocket: String, atOnce: Int? = nil, warm: Int = 0,
        until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try self.init(path, .socket(helperSocket), atOnce, warm, deadline)
    }

    private convenience init(
        _ path: String, _ launch: HelperLaunch, _ atOnce: Int?, _ warm: Int, _ deadline: ContinuousClock.Instant?
    ) throws(RegistryError) {
        let helpers = HelperPool(launch, limits: HelperLimits(helpers: atOnce))
        helpers.warm(warm)
        self.init(registry: try Registry(path: path, until: deadline), helpers: helpers)
    }

    /// The node's mounts, as the helpers see them. A service manager may have given this process a mount namespace of
    /// its own, where copies of unmounted mounts can live on.
    func mounts() throws(ObservationError) -> MountTable { try .ofNode(serviceManager: helpers.serviceManager) }

    /// Finds the sandbox that a person means by an id or the beginning of one; nil if there is none. Every other call
    /// takes whole ids: compare the result's id with the text, tell the person which sandbox was meant, and use its
    /// whole id from then on.
    ///
    /// - Throws: `RegistryError.invalidID` if no id can begin like this; `.ambiguous` if several do.
    public func resolve(
        _ text: String, _ beginnings: Beginnings = .any
    ) throws(RemovalError) -> Sandbox? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.resolve(text, beginnings) }
    }

    /// What a removal would do now; nil for an unknown id. Changes nothing, and starts no helper.
    ///
    /// - Parameter id: A sandbox's whole id.
    public func plan(_ id: String) throws(RemovalError) -> RemovalPlan? {
        guard let sandbox = try find(id) else { return nil }
        let records = try containerRecords(of: sandbox)
        do throws(ObservationError) {
            return RemovalPlan.remove(sandbox, records.containers, try .observe(sandbox, records))
        } catch {
            throw .observation(error)
        }
    }

    /// Removes a sandbox with all its containers. It is safe to call again, concurrently and after any failure: a call
    /// does whatever is left to do. It never reports `removed` while something is left.
    ///
    /// - Parameters:
    ///   - id: A sandbox's whole id. An empty id is an error. An unknown id is no error, and no other sandbox is
    ///     touched.
    ///   - tell: Called while the removal runs, from several tasks. All removals wait for it, so it must not block.
    public func remove(
        _ id: String, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let hook = options.beforeNamespaces != nil
        return try await exclusively(id, Wanted(.remove, options), options, tell) {
            RemovalPlan.remove($0, $1, $2, hook: hook)
        }
    }

    /// Stops a sandbox's containers, deletes its namespaces and unmounts its shm; records and directories stay.
    /// Stopping a sandbox twice is no error.
    ///
    /// - Parameters:
    ///   - id: As for `remove`.
    ///   - grace: How long each container has after its stop signal before it is killed; zero kills at once. The grace
    ///     ends early if another caller waits to remove the sandbox, or to stop it with a shorter grace.
    public func stop(
        _ id: String, grace: Duration = .seconds(10), options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let hook = options.beforeNamespaces != nil
        return try await exclusively(id, Wanted(.stop, grace: grace, options), options, tell) {
            RemovalPlan.stop($0, $1, $2, grace: grace, hook: hook)
        }
    }

    private typealias Planning = @Sendable (Sandbox, [Container], SandboxSnapshot) -> RemovalPlan

    private func exclusively(
        _ id: String, _ wanted: Wanted, _ options: RemovalOptions,
        _ tell: @escaping @Sendable (RemovalEvent) -> Void, _ planning: @escaping Planning
    ) async throws(RemovalError) -> RemovalAnswer {
        let found = try await fromThreads(options.timeout) { () throws(RemovalError) in
            let sandbox = try self.find(id)
            return (sandbox: sandbox, last: sandbox == nil ? try self.lastReport(of: id) : nil)
        }
        guard let sandbox = found.sandbox else { return .unknown(id: id, last: found.last) }
        helpers.warm(1)
        return try await alone(on: sandbox.id, wanted, options, tell) { (work, mounts) throws(RemovalError) in
            let run = RemovalRun(self, options, work, tell)
            if let report = try await self.hookAlone(run, sandbox, work, wanted, mounts) { return report }
            guard let sandbox = work.sandbox else { return .unknown(id: id, last: work.last) }
            let report = try await run.carryOut(sandbox, work.records, mounts, wanted.purpose, planning)
            return .finished(report, joined: false)
        }
    }

    /// Runs the hook alone if another call has meanwhile deleted the namespaces without running the hook that this call
    /// wants; CNI DEL tolerates deleted namespaces. Returns nil if there is more to do, or if no hook has to run.
    private func hookAlone(
        _ run: RemovalRun, _ before: Sandbox, _ work: SoleWork, _ wanted: Wanted, _ mounts: MountTable
    ) async throws(RemovalError) -> RemovalAnswer? {
        guard wanted.hook != .none, before.namespaces.contains(where: { !$0.closed }),
            work.sandbox?.namespaces.allSatisfy(\.closed) ?? true
        else { return nil }
        let report = try await run.carryOut(before, ContainerRecords(), mounts, wanted.purpose) { sandbox, _, seen in
            RemovalPlan.hook(wanted.purpose, of: sandbox, seen)
        }
        return work.sandbox == nil || report.outcome == .incomplete ? .finished(report, joined: false) : nil
    }

    func find(_ id: String) throws(RemovalError) -> Sandbox? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.sandbox(id) }
    }

    func records(of sandbox: Sandbox) throws(RemovalError) -> [Container] {
        try fromRegistry { (registry) throws(RegistryError) in try registry.containers(of: sandbox.id) }
    }

    /// A sandbox and its containers, as they are registered at one instant; nil for an unknown id.
    func podRecords(_ id: String) throws(RemovalError) -> (sandbox: Sandbox, containers: ContainerRecords)? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.records(of: id) }.map { found in
            (
                found.sandbox,
                ContainerRecords(containers: found.containers, sharers: found.sharers, heirs: found.heirs)
            )
        }
    }

    func containerRecords(of sandbox: Sandbox) throws(RemovalError) -> ContainerRecords {
        try podRecords(sandbox.id)?.containers ?? ContainerRecords()
    }

    /// As `containerRecords`, for tasks of the event loop.
    func recordsNow(
        of sandbox: Sandbox, until deadline: ContinuousClock.Instant
    ) async throws(RemovalError) -> ContainerRecords {
        let records = try await Threads.registry.run(until: deadline) { () throws(RemovalError) -> ContainerRecords in
            try self.containerRecords(of: sandbox)
        }
        guard let records else { throw .registry(.busy(path: registry.path)) }
        return records
    }

    /// Runs what may wait for the registry or briefly for the kernel, for at most `limit` (but at least `moment`).
    func fromThreads<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () throws(RemovalError) -> Value
    ) async throws(RemovalError) -> Value {
        let limit = max(limit, Self.moment)
        guard let value = try await Threads.registry.run(until: .now + limit, body) else {
            throw .overdue("the registry's answer", after: limit)
        }
        return value
    }

    /// The reports that are kept of a sandbox and were stored after the one with this number, newest first.
    func reports(of id: String, after number: Int64) throws(RemovalError) -> [StoredReport] {
        try fromRegistry { (registry) throws(RegistryError) in
            try registry.reports(limit: Registry.keptReportsOfPod, of: id, after: number)
        }
    }

    func lastReport(of id: String) throws(RemovalError) -> StoredReport? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.reports(limit: 1, of: id).first }
    }

    func fromRegistry<Value>(
        _ body: (Registry) throws(RegistryError) -> Value
    ) throws(RemovalError) -> Value {
        do { return try body(registry) } catch { throw .registry(error) }
    }

    /// The node's mounts now. Coalesces concurrent calls: callers that arrive while one reads the mounts share the next
    /// read.
    func mountsSeen() async -> Result<MountTable, RemovalError> {
        do throws(ObservationError) { return .success(try await mountsNow.seen()) } catch {
            return .failure(.observation(error))
        }
    }

    /// As above; nil if it takes longer than the deadline.
    func mountsSeen(until deadline: ContinuousClock.Instant) async -> Result<MountTable, RemovalError>? {
        await within(deadline) { await self.mountsSeen() }
    }

    func observe(
        _ sandbox: Sandbox, _ records: ContainerRecords, _ mounts: MountTable
    ) throws(RemovalError) -> SandboxSnapshot {
        do throws(ObservationError) {
            return try .observe(sandbox, records, mounts: mounts)
        } catch {
            throw .observation(error)
        }
    }
}

/// A sandbox's containers, and the containers that share cgroups with each.
struct ContainerRecords: Sendable {
    var containers: [Container] = []
    /// The other containers that share cgroups, by container id.
    var sharers: [String: [CgroupSharer]] = [:]
    /// Containers that have inherited a cgroup from another container.
    var heirs: Set<String> = []
}
