internal import EventLoop
import FoundationEssentials
public import HelperClient
internal import NodeObservation
public import SandboxRegistry

/// What came of a call for a sandbox.
public enum RemovalAnswer: Sendable {
    /// It was carried out by this call, or by another that this one waited for (`joined`). Whether all succeeded is in the report.
    case finished(RemovalReport, joined: Bool)
    /// No sandbox has such an id, so nothing is to be done. `last` is what happened to one that had.
    case unknown(id: String, last: StoredReport?)
}

/// Takes pod sandboxes apart: decides on the steps, has helpers carry them out, and keeps the registry.
///
/// It holds no privilege. Several in several processes may share a registry: one works on a sandbox at a time, and the others
/// wait and get the same answer. A task that is cancelled does not stop what was begun.
public final class Orchestrator: Sendable {
    public let registry: Registry
    let helpers: HelperPool
    private let mountsNow = SharedLook { () throws(ObservationError) in try MountTable.current() }

    public init(registry: Registry, helpers: HelperPool) {
        self.registry = registry
        self.helpers = helpers
    }

    /// Opens the registry at `path`, and starts helpers meanwhile.
    ///
    /// - Parameters:
    ///   - helper: The path of `podreap-helper`.
    ///   - policy: Another policy than the installed one; the helper takes it from root only.
    ///   - atOnce: How many helpers work at once; nil: as many as suit the machine (`HelperLimits`).
    ///   - warm: How many helpers to start right away; the others are started when there is work for them.
    public convenience init(
        path: String, helper: String, policy: String? = nil, atOnce: Int? = nil, warm: Int = 0
    ) throws(RegistryError) {
        try self.init(path, .program(helper, arguments: policy.map { [$0] } ?? []), atOnce, warm)
    }

    /// The same with helpers that a service manager starts (podreap-helper.socket).
    ///
    /// - Parameter helperSocket: The path of the socket at which it hands them out.
    public convenience init(
        path: String, helperSocket: String, atOnce: Int? = nil, warm: Int = 0
    ) throws(RegistryError) {
        try self.init(path, .socket(helperSocket), atOnce, warm)
    }

    private convenience init(
        _ path: String, _ launch: HelperLaunch, _ atOnce: Int?, _ warm: Int
    ) throws(RegistryError) {
        let helpers = HelperPool(launch, limits: HelperLimits(helpers: atOnce))
        helpers.warm(warm)
        self.init(registry: try Registry(path: path), helpers: helpers)
    }

    /// The node's mounts, as the helpers see them: a service manager may have given this process a mount namespace of its own, where
    /// copies of what is unmounted can live on.
    func mounts() throws(ObservationError) -> MountTable { try .ofNode(serviceManager: helpers.serviceManager) }

    /// The sandbox that a person means by an id or the beginning of one; nil where there is none. Every other call takes whole ids:
    /// compare the answer's with the text, say which was meant, and go on with that.
    ///
    /// - Throws: `RegistryError.invalidID` where no id can begin so; `.ambiguous` where several do.
    public func resolve(
        _ text: String, _ beginnings: Beginnings = .forPeople
    ) throws(RemovalError) -> Sandbox? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.resolve(text, beginnings) }
    }

    /// What a removal would do now; nil for an unknown id. Changes nothing, and starts no helper.
    ///
    /// - Parameter id: A sandbox's whole id.
    public func plan(_ id: String) throws(RemovalError) -> RemovalPlan? {
        guard let sandbox = try find(id) else { return nil }
        let containers = try records(of: sandbox)
        do throws(ObservationError) {
            return RemovalPlan.remove(sandbox, containers, try .observe(sandbox, containers))
        } catch {
            throw .observation(error)
        }
    }

    /// Removes a sandbox with all its containers. Safe to call again, at once, and after anything that went wrong:
    /// what is left is done. It never reports `removed` with something left.
    ///
    /// - Parameters:
    ///   - id: A sandbox's whole id. Empty: an error. Unknown: no error, and no other sandbox is touched.
    ///   - tell: Called while it runs, from several tasks. All removals wait for it, so it must not wait for anything.
    public func remove(
        _ id: String, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let hook = options.beforeNamespaces != nil
        return try await exclusively(id, .remove, options, tell) { RemovalPlan.remove($0, $1, $2, hook: hook) }
    }

    /// Stops a sandbox's containers, deletes its namespaces and unmounts its shm; records and directories stay. Stopping twice is fine.
    ///
    /// - Parameters:
    ///   - id: As for `remove`.
    ///   - grace: How long each container has after its stop signal before it is killed; zero kills at once.
    public func stop(
        _ id: String, grace: Duration = .seconds(10), options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let hook = options.beforeNamespaces != nil
        return try await exclusively(id, .stop, options, tell) {
            RemovalPlan.stop($0, $1, $2, grace: grace, hook: hook)
        }
    }

    private typealias Planning = @Sendable (Sandbox, [Container], Observation) -> RemovalPlan

    private func exclusively(
        _ id: String, _ purpose: RemovalPlan.Purpose, _ options: RemovalOptions,
        _ tell: @escaping @Sendable (RemovalEvent) -> Void, _ planning: @escaping Planning
    ) async throws(RemovalError) -> RemovalAnswer {
        guard let found = try find(id) else {
            SandboxLock.discard(id, registry: registry.path)
            return .unknown(id: id, last: try lastReport(of: id))
        }
        helpers.warm(1)
        // A task of its own: the caller's may be cancelled. What it does is mostly to wait.
        let work = Task(executorPreference: EventLoop.preferred) { () -> Result<RemovalAnswer, RemovalError> in
            do throws(RemovalError) {
                return .success(try await self.work(on: found.id, purpose, options, tell, planning))
            } catch {
                return .failure(error)
            }
        }
        return try await work.value.get()
    }

    private func work(
        on id: String, _ purpose: RemovalPlan.Purpose, _ options: RemovalOptions,
        _ tell: @escaping @Sendable (RemovalEvent) -> Void, _ planning: @escaping Planning
    ) async throws(RemovalError) -> RemovalAnswer {
        let asked = Date()
        // While the records are read. Seen before others had the lock it would be too old.
        async let mounts = mountsSeen()
        let held = try await lock(id, options, tell)
        defer { held.lock.release() }
        if held.lock.hadToWait, let answer = answerOfOther(held.last, purpose, since: asked) { return answer }
        guard let sandbox = held.sandbox else { return .unknown(id: id, last: held.last) }
        let seen = try await (held.lock.hadToWait ? mountsSeen() : mounts).get()
        let run = Run(self, options, tell)
        return .finished(try await run.carryOut(sandbox, held.containers, seen, purpose, planning), joined: false)
    }

    /// A sandbox that no other removal works on, and what is known of it.
    struct Held: Sendable {
        let lock: SandboxLock
        /// Nil: it is not registered any more.
        let sandbox: Sandbox?
        let containers: [Container]
        /// The last report, where it was waited for or is not registered any more.
        let last: StoredReport?
    }

    /// Takes a sandbox's lock, and waits for it, and reads the records.
    ///
    /// - Parameter id: The whole id.
    func lock(
        _ id: String, _ options: RemovalOptions, _ tell: @Sendable (RemovalEvent) -> Void
    ) async throws(RemovalError) -> Held {
        let first = try await offPool { () throws(RemovalError) -> Result<Held, SandboxLock.ByOther> in
            switch try SandboxLock.attempt(id, registry: self.registry.path) {
            case .success(let lock): .success(try self.read(id, lock))
            case .failure(let other): .failure(other)
            }
        }
        let other: SandboxLock.ByOther
        switch first {
        case .success(let held): return held
        case .failure(let found): other = found
        }
        tell(.waiting(sandbox: id))
        let lock = try await SandboxLock.wait(for: other, of: id, timeout: options.timeout)
        return try await offPool { () throws(RemovalError) -> Held in try self.read(id, lock) }
    }

    private func read(_ id: String, _ lock: SandboxLock) throws(RemovalError) -> Held {
        let sandbox = try find(id)
        return Held(
            lock: lock, sandbox: sandbox,
            containers: try sandbox.map { (sandbox) throws(RemovalError) in try records(of: sandbox) } ?? [],
            last: lock.hadToWait || sandbox == nil ? try lastReport(of: id) : nil)
    }

    /// The answer of the removal that this call has waited for, if that is an answer to this call.
    private func answerOfOther(
        _ last: StoredReport?, _ purpose: RemovalPlan.Purpose, since asked: Date
    ) -> RemovalAnswer? {
        guard let last, last.startedAt.addingTimeInterval(last.duration) >= asked,
            let report = RemovalReport(last), report.purpose == purpose || report.outcome == .removed
        else { return nil }
        return .finished(report, joined: true)
    }

    private func find(_ id: String) throws(RemovalError) -> Sandbox? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.sandbox(id) }
    }

    func records(of sandbox: Sandbox) throws(RemovalError) -> [Container] {
        try fromRegistry { (registry) throws(RegistryError) in try registry.containers(of: sandbox.id) }
    }

    /// The same for a task of the event loop.
    func recordsNow(of sandbox: Sandbox) async throws(RemovalError) -> [Container] {
        try await offPool { () throws(RemovalError) -> [Container] in try self.records(of: sandbox) }
    }

    func lastReport(of id: String) throws(RemovalError) -> StoredReport? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.reports(limit: 1, of: id).first }
    }

    func fromRegistry<Value>(
        _ body: (Registry) throws(RegistryError) -> Value
    ) throws(RemovalError) -> Value {
        do { return try body(registry) } catch { throw .registry(error) }
    }

    /// The node's mounts now; one look serves all who ask for it meanwhile.
    func mountsSeen() async -> Result<MountTable, RemovalError> {
        do throws(ObservationError) { return .success(try await mountsNow.seen()) } catch {
            return .failure(.observation(error))
        }
    }

    func observe(_ sandbox: Sandbox, _ containers: [Container], _ mounts: MountTable) throws(RemovalError)
        -> Observation
    {
        do throws(ObservationError) {
            return try .observe(sandbox, containers, mounts: mounts)
        } catch {
            throw .observation(error)
        }
    }
}
