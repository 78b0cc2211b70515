internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
public import SandboxRegistry

/// What is known of whether a container lives.
public enum ContainerState: String, Sendable {
    case created, running, exited
    /// No init process is recorded, and the runtime was not asked.
    case unknown
}

extension Orchestrator {
    /// Stops one workload container. A stop or removal of its sandbox may run meanwhile and does not wait for the
    /// grace. Infra containers are not found; they end with their sandbox. Reports of single containers are not stored.
    ///
    /// - Parameters:
    ///   - id: A container's whole id. Empty is an error; unknown is not, and no other container is touched.
    ///   - grace: How long the container may take after its stop signal before it is killed; zero kills at once.
    public func stop(
        container id: String, grace: Duration, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let found = try await fromThreads(options.timeout) { () throws(RemovalError) in try self.find(container: id) }
        guard let found else { return .unknown(id: id, last: nil) }
        let container = found.container.id
        return try await toItsEnd { () throws(RemovalError) in
            let end = ContinuousClock.now + max(options.timeout, Self.moment)
            let records = try await self.recordsNow(of: found.sandbox, until: end)
            guard let mounts = try await self.mountsSeen(until: end)?.get() else {
                throw .overdue("the list of mounts", after: options.timeout)
            }
            let report = try await RemovalRun(self, options, nil, tell).carryOut(
                found.sandbox, records, mounts, .stopContainer
            ) {
                RemovalPlan.stop(container: container, of: $0, $1, $2, grace: grace)
            }
            return .finished(report, joined: false)
        }
    }

    /// Removes one workload container, whether it runs or not. Waits if its sandbox is being removed or stopped.
    ///
    /// - Parameter id: As for `stop`.
    public func remove(
        container id: String, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws(RemovalError) -> RemovalAnswer {
        let found = try await fromThreads(options.timeout) { () throws(RemovalError) in try self.find(container: id) }
        guard let found else { return .unknown(id: id, last: nil) }
        let (sandbox, container) = (found.sandbox.id, found.container.id)
        return try await alone(on: sandbox, Wanted(.removeContainer, container: container, options), options, tell) {
            (work, mounts) throws(RemovalError) in
            guard let sandbox = work.sandbox, work.records.containers.contains(where: { $0.id == container }) else {
                return .unknown(id: container, last: nil)
            }
            let report = try await RemovalRun(self, options, work, tell).carryOut(
                sandbox, work.records, mounts, .removeContainer
            ) {
                RemovalPlan.remove(container: container, of: $0, $1, $2)
            }
            return .finished(report, joined: false)
        }
    }

    /// Runs the work in a task of its own, so that it is not cancelled with the caller's task.
    private func toItsEnd(
        _ work: @escaping @Sendable () async throws(RemovalError) -> RemovalAnswer
    ) async throws(RemovalError) -> RemovalAnswer {
        let task = Task(executorPreference: EventLoop.preferred) { () -> Result<RemovalAnswer, RemovalError> in
            do throws(RemovalError) { return .success(try await work()) } catch { return .failure(error) }
        }
        return try await task.value.get()
    }

    /// A workload container and its sandbox; nil if the id is unknown.
    ///
    /// - Parameter id: The container's whole id.
    public func find(
        container id: String
    ) throws(RemovalError) -> (sandbox: Sandbox, container: Container)? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.container(id) }
    }

    /// The workload container that a person means by an id or its beginning, and its sandbox. `resolve` finds sandboxes
    /// by the same rules.
    public func resolve(
        container text: String, _ beginnings: Beginnings = .any
    ) throws(RemovalError) -> (sandbox: Sandbox, container: Container)? {
        try fromRegistry { (registry) throws(RegistryError) in try registry.resolve(container: text, beginnings) }
    }

    /// The state of a container as observed without privilege and without a helper.
    public func observedState(of container: Container, in sandbox: Sandbox) throws(RemovalError) -> ContainerState {
        do throws(ObservationError) {
            if sandbox.isFromEarlierBoot(than: try Boot.id()) { return .exited }
            switch try SandboxSnapshot.processes(of: container) {
            case .running: return .running
            case .ended(let remaining): return remaining.isEmpty ? .exited : .running
            case .unknown: return .unknown
            }
        } catch {
            throw .observation(error)
        }
    }

    /// The state of a container. A helper reads the runtime's record if observation is not enough, and the runtime is
    /// asked only whether a living container has been started.
    ///
    /// - Parameter timeout: For the whole call.
    public func state(
        of container: Container, in sandbox: Sandbox, timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> ContainerState {
        let time = CallTime(timeout)
        return try await time.bound("the state of \(container.id)") { () throws(RemovalError) in
            try await self.examineState(of: container, in: sandbox, time)
        }
    }

    private func examineState(
        of container: Container, in sandbox: Sandbox, _ time: CallTime
    ) async throws(RemovalError) -> ContainerState {
        let observed = try observedState(of: container, in: sandbox)
        if observed == .exited { return .exited }
        let session = try await time.session(helpers)
        let roots = RootMap(session.welcome)
        switch try await verdict(on: container, in: sandbox, session, time) {
        case .gone: return .exited
        case .unknown: return .unknown
        case .alive: break
        }
        guard let target = try? roots.target(container.id, runtime: container.runtime) else { return .running }
        let reply = try await time.look(
            .runtimeState(target), session, "\(container.id): \(container.runtime)'s answer")
        return RuntimeState(reply.facts)?.status == "created" ? .created : .running
    }

    /// Whether a container lives, from all the evidence. A removal relies on the same verdict.
    ///
    /// - Parameter timeout: For the whole call.
    public func verdict(
        on container: Container, in sandbox: Sandbox, timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> LifeVerdict {
        let time = CallTime(timeout)
        return try await time.bound("what is known of \(container.id)") { () throws(RemovalError) in
            try await self.verdict(on: container, in: sandbox, try await time.session(self.helpers), time)
        }
    }

    private func verdict(
        on container: Container, in sandbox: Sandbox, _ session: HelperSession, _ time: CallTime
    ) async throws(RemovalError) -> LifeVerdict {
        let observer = LifeObserver(
            registry: registry, roots: RootMap(session.welcome),
            isAfterReboot: try observing { () throws(ObservationError) in
                sandbox.isFromEarlierBoot(than: try Boot.id())
            },
            mounts: try await mountsSeen().get())
        do throws(StepFailure) {
            return try await observer.evidence(of: container) { (request) throws(StepFailure) in
                do throws(RemovalError) {
                    return try await time.look(request, session, "\(container.id): a look at it")
                } catch {
                    throw StepFailure("\(error)")
                }
            }.verdict
        } catch {
            if time.isOver { throw time.overdue("what is known of \(container.id)") }
            throw .invalid(field: container.id, problem: error.reason)
        }
    }
}
