internal import SandboxRegistry

// Plans for one container; its sandbox stays.

extension RemovalPlan {
    /// Plans to stop one container; its record and directories stay. The plan has no step if nothing of the container
    /// lives or the container no longer exists.
    ///
    /// - Parameter grace: How long the container may take to end after its stop signal before KILL; zero kills at once.
    static func stop(
        container id: String, of sandbox: Sandbox, _ containers: [Container], _ seen: SandboxSnapshot, grace: Duration
    ) -> RemovalPlan {
        var plan = RemovalPlan(.stopContainer, sandbox, containers.filter { $0.id == id }, seen)
        for container in plan.containers {
            guard let method = plan.method(for: container, seen) else { continue }
            let (signal, grace) = grace > .zero ? (container.stopSignal, grace) : (Signal.kill, .zero)
            plan.add(.container(id: id), .end(method, signal: signal, grace: grace), after: [])
        }
        return plan
    }

    /// Plans to remove one workload container, its directories and its name.
    static func remove(
        container id: String, of sandbox: Sandbox, _ containers: [Container], _ seen: SandboxSnapshot
    ) -> RemovalPlan {
        var plan = RemovalPlan(.removeContainer, sandbox, containers.filter { $0.id == id && !$0.isInfra }, seen)
        for container in plan.containers {
            let subject = Subject.container(id: id)
            let end = plan.method(for: container, seen).map {
                plan.add(subject, .end($0, signal: Signal.kill, grace: .zero), after: [])
            }
            let delete = plan.add(subject, .delete(runtime: container.runtime), after: end.map { [$0] } ?? [])
            plan.addRemains(of: container, after: [delete], seen)
        }
        return plan
    }
}

extension RemovalPlan.Purpose {
    /// Whether the purpose concerns a whole sandbox, so that its report can answer other calls for that sandbox.
    var isOfSandbox: Bool { self == .remove || self == .stop }
    var removes: Bool { self == .remove || self == .removeContainer }
}
