internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
public import SandboxRegistry

/// What is known of a container's life.
public enum ContainerState: String, Sendable {
    case created, running, exited
    /// Nobody has recorded a process, and the runtime was not asked.
    case unknown
}

extension Orchestrator {
    /// Stops one workload container. Its sandbox may be stopped or removed meanwhile: that does not wait for the grace.
    /// Infra containers are not found: they end with their sandbox. Reports of single containers are not kept.
    ///
    /// - Parameters:
    ///   - id: A container's whole id. Empty: an error. Unknown: no error, and no other container is touched.
    ///   - grace: How long it may take after its stop signal before it is killed; zero kills at once.
    public func stop(
        container id: String, grace: Duration, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        guard let found = try find(container: id) else { return .unknown(id: id, last: nil) }
        let container = found.container.id
        return try await toItsEnd { () throws(RemovalError) in
            let (containers, mounts) = try await (self.recordsNow(of: found.sandbox), self.mountsSeen().get())
            let report = try await Run(self, options, nil, tell).carryOut(
                found.sandbox, containers, mounts, .stopContainer
            ) {
                RemovalPlan.stop(container: container, of: $0, $1, $2, grace: grace)
            }
            return .finished(report, joined: false)
        }
    }

    /// Removes one workload container, running or not. Waits where its sandbox is being removed, or stopped.
    ///
    /// - Parameter id: As for `stop`.
    public func remove(
        container id: String, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        guard let found = try find(container: id) else { return .unknown(id: id, last: nil) }
        let (sandbox, container) = (found.sandbox.id, found.container.id)
        return try await alone(on: sandbox, Wanted(.removeContainer, container: container, options), options, tell) {
            (work, mounts) throws(RemovalError) in
            guard let sandbox = work.sandbox, work.containers.contains(where: { $0.id == container }) else {
                return .unknown(id: container, last: nil)
            }
            let report = try await Run(self, options, work, tell).carryOut(
                sandbox, work.containers, mounts, .removeContainer
            ) {
                RemovalPlan.remove(container: container, of: $0, $1, $2)
            }
            return .finished(report, joined: false)
        }
    }

    /// In a task of its own: the caller's may be cancelled.
    private func toItsEnd(
        _ work: @escaping @Sendable () async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let task = Task(executorPreference: EventLoop.preferred) { () -> Result<RemovalAnswer, RemovalError> in
            do throws(RemovalError) { return .success(try await work()) } catch { return .failure(error) }
        }
        return try await task.value.get()
    }

    /// A workload container and its sandbox; nil for an unknown id.
    ///
    /// - Parameter id: The whole id.
    public func find(
        container id: String
    ) throws(RemovalError) -> (sandbox: Sandbox, container: Container)? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.container(id) }
    }

    /// The workload container that a person means by an id or the beginning of one, and its sandbox; as `resolve` finds sandboxes.
    public func resolve(
        container text: String, _ beginnings: Beginnings = .any
    ) throws(RemovalError) -> (sandbox: Sandbox, container: Container)? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.resolve(container: text, beginnings) }
    }

    /// What is seen of a container's process, without privilege and without asking the runtime.
    public func observedState(of container: Container, in sandbox: Sandbox) throws(RemovalError) -> ContainerState {
        do throws(ObservationError) {
            if sandbox.isFromEarlierBoot(than: try Boot.id()) { return .exited }
            switch try Observation.processes(of: container) {
            case .running: return .running
            case .ended: return .exited
            case .unknown: return .unknown
            }
        } catch {
            throw .observation(error)
        }
    }

    /// The state of a container, with the runtime asked where looking is not enough.
    public func state(of container: Container, in sandbox: Sandbox) async throws(RemovalError) -> ContainerState {
        let observed = try observedState(of: container, in: sandbox)
        if observed == .exited { return .exited }
        do throws(HelperError) {
            let roots = RootMap(try await helpers.welcome())
            guard let target = try? roots.target(container.id, runtime: container.runtime) else { return observed }
            let reply = try await helpers.call(.runtimeState(target), deadline: .seconds(20))
            if reply.outcome == .alreadyDone { return observed == .running ? .running : .exited }
            guard let state = RuntimeState(reply.facts) else { return observed }
            if state.livingProcess == nil { return .exited }
            return state.status == "created" ? .created : .running
        } catch {
            throw .helper(error)
        }
    }

    /// Registers a further container of a registered sandbox, as `register` does with the first ones.
    ///
    /// - Parameter sandbox: The whole id.
    public func register(
        _ containers: [Container], into sandboxID: String
    ) async throws(RemovalError) -> Registration {
        let sandbox = try fromRegistry { (registry) throws(RegistryError) in
            guard let sandbox = try registry.sandbox(sandboxID) else { throw .unknownSandbox(id: sandboxID) }
            return sandbox
        }
        let welcome: Welcome
        let bootID: String
        do throws(HelperError) { welcome = try await helpers.welcome() } catch { throw .helper(error) }
        do throws(ObservationError) { bootID = try Boot.id() } catch { throw .observation(error) }
        if sandbox.isFromEarlierBoot(than: bootID) {
            throw .invalid(
                field: "pod_sandbox_id", problem: "the machine was booted since that sandbox was registered; remove it")
        }
        let document = RegistrationDocument(sandbox: sandbox, containers: containers)
        var examination = Examination(document, RootMap(welcome), helpers)
        try examination.checkPaths()
        try await examination.identifyContainers()
        try await examination.findProcesses()
        let records = examination.containers
        try fromRegistry { (registry) throws(RegistryError) in try registry.register(records, into: sandboxID) }
        return Registration(sandbox: sandbox, containers: records, warnings: examination.warnings)
    }
}
