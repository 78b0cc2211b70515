internal import CoreMetrics
internal import EventLoop
internal import GRPCCore
internal import Logging
internal import SandboxRegistry
public import SandboxRemoval

/// Limits on what the services do.
public struct ServiceLimits: Sendable {
    /// The options of each removal and stop.
    public var removal = RemovalOptions()
    /// How long a container may take to end after its stop signal, when its pod is stopped.
    public var stopGrace: Duration = .seconds(10)
    /// How many removals and stops run at once.
    public var atOnce = 64
    /// How many more may wait. Further calls are answered RESOURCE_EXHAUSTED.
    public var waiting = 4096

    public init() {}
}

/// What the services share.
struct DaemonContext: Sendable {
    let orchestrator: Orchestrator
    let limits: ServiceLimits
    let jobs: JobQueue
    let readiness: Readiness
    let logger: Logger

    init(_ orchestrator: Orchestrator, _ limits: ServiceLimits, _ logger: Logger) {
        self.orchestrator = orchestrator
        self.limits = limits
        self.logger = logger
        readiness = Readiness(orchestrator)
        jobs = JobQueue(atOnce: limits.atOnce, waiting: limits.waiting, observer: JobLog(logger: logger))
    }

    /// How long the current call may take: until its client's deadline, and no longer than a removal.
    var timeLeft: Duration { CallDeadline.left(limits.removal.timeout) }

    /// What a call reads. Each kind has threads of its own, and removals have others: a removal's look-up does not wait
    /// for a call that looks at the node, where `/proc` or a filesystem may not answer.
    enum Reading {
        /// The registry alone.
        case registry
        /// The registry and the state of containers.
        case node
        case explanation

        fileprivate var threads: BlockingPool {
            switch self {
            case .registry: Self.lookUps
            case .node: Self.views
            case .explanation: Self.explanations
            }
        }

        private static let lookUps = BlockingPool("look-ups", threads: 4)
        private static let views = BlockingPool("views", threads: 4)
        private static let explanations = BlockingPool("explanations", threads: 2)
    }

    /// Runs `body` on a thread that may wait for a disk or for another process's lock. Throws once the call's time is
    /// over; `body` then ends by itself.
    func read<Value: Sendable>(
        _ reading: Reading, _ body: @escaping @Sendable (Orchestrator) throws(RemovalError) -> Value
    ) async throws(RPCError) -> Value {
        let (orchestrator, limit) = (orchestrator, timeLeft)
        let result = await within(.now + limit) {
            await reading.threads.run { Result { () throws(RemovalError) in try body(orchestrator) } }
        }
        do throws(RemovalError) {
            guard let result else { throw .overdue("an answer of the registry or of the node", after: limit) }
            return try result.get()
        } catch {
            throw RPCError(error)
        }
    }

    func registry<Value: Sendable>(
        _ body: @escaping @Sendable (Registry) throws(RegistryError) -> Value
    ) async throws(RPCError) -> Value {
        try await read(.registry) { (orchestrator) throws(RemovalError) in
            do throws(RegistryError) { return try body(orchestrator.registry) } catch { throw .registry(error) }
        }
    }

    /// Throws if an id is empty, because CRI requires one.
    static func require(_ id: String, _ field: String) throws(RPCError) {
        if id.isEmpty { throw RPCError(code: .invalidArgument, message: "\(field) is empty; expected an id") }
    }

    /// What is wrong with the registry, for its callers and for the log.
    func registryWarnings() async -> [String] {
        let warnings = (try? await registry { (registry) throws(RegistryError) in registry.warnings }) ?? []
        for warning in warnings { logger.warning("\(warning)") }
        return warnings
    }

    /// The sandbox that a call names; nil if none is registered. In podreap.v1 only a whole id names one, except in
    /// Resolve; in runtime.v1 so does the beginning of an id that `beginnings` allows, for crictl.
    func sandbox(_ text: String, _ beginnings: Beginnings) async throws(RPCError) -> Sandbox? {
        try Self.require(text, "pod_sandbox_id")
        let sandbox = try await registry { (registry) throws(RegistryError) in try registry.resolve(text, beginnings) }
        if let sandbox { logWhatWasMeant(text, sandbox.id) }
        return sandbox
    }

    private func logWhatWasMeant(_ text: String, _ id: String) {
        if text == id { return }
        logger.notice("the beginning of an id stands for it", metadata: ["beginning": "\(text)", "id": "\(id)"])
    }

    // MARK: Jobs

    /// nil if no sandbox has this id: there is nothing to do.
    func removal(of text: String, _ beginnings: Beginnings) async throws(RPCError) -> RemovalJob? {
        guard let sandbox = try await sandbox(text, beginnings) else { return nil }
        return try removal(of: sandbox)
    }

    func removal(of sandbox: Sandbox, isBounded: Bool = true) throws(RPCError) -> RemovalJob {
        let key = JobQueue.Key(verb: .removeSandbox, id: sandbox.id)
        return try begin(key, isBounded: isBounded) { (orchestrator, tell) throws(RemovalError) in
            if sandbox.state == .removing { Counter(label: "podreap_retries_total").increment() }
            return try await orchestrator.remove(sandbox.id, options: limits.removal, tell: tell)
        }
    }

    func stop(of text: String, _ beginnings: Beginnings) async throws(RPCError) -> RemovalJob? {
        guard let sandbox = try await sandbox(text, beginnings) else { return nil }
        var options = limits.removal
        // The grace counts twice: first for the workload containers, then for the infra container.
        options.timeout += limits.stopGrace + limits.stopGrace
        return try begin(JobQueue.Key(verb: .stopSandbox, id: sandbox.id)) {
            [options] (orchestrator, tell) throws(RemovalError) in
            try await orchestrator.stop(sandbox.id, grace: limits.stopGrace, options: options, tell: tell)
        }
    }

    func container(
        _ text: String, _ beginnings: Beginnings
    ) async throws(RPCError) -> (sandbox: Sandbox, container: Container)? {
        try Self.require(text, "container_id")
        let found = try await read(.registry) { (orchestrator) throws(RemovalError) in
            try orchestrator.resolve(container: text, beginnings)
        }
        if let found { logWhatWasMeant(text, found.container.id) }
        return found
    }

    func stop(ofContainer text: String, grace: Duration) async throws(RPCError) -> RemovalJob? {
        guard let found = try await container(text, .forActing) else { return nil }
        var options = limits.removal
        options.timeout += grace
        let key = JobQueue.Key(verb: .stopContainer, id: found.container.id, grace: grace)
        return try begin(key) { [options] (orchestrator, tell) throws(RemovalError) in
            try await orchestrator.stop(container: found.container.id, grace: grace, options: options, tell: tell)
        }
    }

    func removal(ofContainer text: String) async throws(RPCError) -> RemovalJob? {
        guard let found = try await container(text, .forActing) else { return nil }
        let key = JobQueue.Key(verb: .removeContainer, id: found.container.id)
        return try begin(key) { (orchestrator, tell) throws(RemovalError) in
            try await orchestrator.remove(container: found.container.id, options: limits.removal, tell: tell)
        }
    }

    private func begin(
        _ key: JobQueue.Key, isBounded: Bool = true,
        _ body:
            @escaping @Sendable (
                Orchestrator, @escaping @Sendable (RemovalEvent) -> Void
            ) async throws(RemovalError) -> RemovalAnswer
    ) throws(RPCError) -> RemovalJob {
        do throws(JobQueue.Full) {
            return try jobs.job(key, isBounded: isBounded) { (tell) throws(RemovalError) in
                try await body(orchestrator, tell)
            }
        } catch {
            throw RPCError(
                code: .resourceExhausted,
                message: "\(limits.waiting) removals and stops wait for one of \(limits.atOnce) to end; try again later"
            )
        }
    }

    /// The error for a call that ends before its job: its deadline passed, its client left, or the daemon's time to end
    /// is over.
    func stillRunning(_ id: String) -> RPCError {
        jobs.isOver
            ? RPCError(
                code: .unavailable,
                message:
                    "podreapd ends before its work on \(asciiOnly(id)): call again, and the next podreapd goes on with it"
            )
            : RPCError(
                code: .deadlineExceeded,
                message:
                    "the call ended before its work: the work goes on, and another call for \(asciiOnly(id)) joins it")
    }

    /// Waits for a job, and throws if it did not complete. `job` is nil if there was nothing to do.
    func finish(_ job: RemovalJob?, _ text: String) async throws(RPCError) {
        guard let job else {
            logger.info("nothing to do: the id is not registered", metadata: ["id": "\(asciiOnly(text))"])
            return
        }
        let id = job.id
        guard let answer = await job.waitForAnswer() else { throw stillRunning(id) }
        switch answer {
        case .failure(let error): throw RPCError(error)
        case .success(.unknown): return
        case .success(.finished(let report, _)): if report.outcome == .incomplete { throw RPCError(report, id) }
        }
    }
}

/// Makes input fit for a log or an error message: at most 130 characters, each printable ASCII or `?`.
func asciiOnly(_ text: String) -> String {
    String(text.unicodeScalars.prefix(130).map { (0x20..<0x7f).contains($0.value) ? Character($0) : "?" })
}
