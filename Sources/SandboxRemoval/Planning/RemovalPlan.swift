internal import HelperClient
internal import LinuxSystem
public import SandboxRegistry

/// The steps that take a sandbox apart. A step may begin as soon as the steps that it depends on have succeeded.
public struct RemovalPlan: Sendable, Equatable {
    public enum Purpose: String, Codable, Sendable { case remove, stop, removeContainer, stopContainer }

    public let purpose: Purpose
    public let sandbox: Sandbox
    /// The containers that are still registered.
    public let containers: [Container]
    public private(set) var steps: [Step] = []
    /// Whether the machine was booted since the sandbox was registered.
    public let isAfterReboot: Bool

    /// Plans a removal. This is a pure function: the same records and the same snapshot make the same plan.
    ///
    /// - Parameter hook: Whether the caller has a hook to run before the namespaces are deleted.
    public static func remove(
        _ sandbox: Sandbox, _ containers: [Container], _ seen: SandboxSnapshot, hook: Bool = false
    ) -> RemovalPlan {
        var plan = RemovalPlan(.remove, sandbox, containers, seen, hook: hook)
        let mark = plan.add(.sandbox(id: sandbox.id), .markRemoving, after: [])
        let ends = plan.addEnds(seen) { _ in (Signal.kill, .zero) }
        let deletes = plan.addDeletes(after: ends, mark)
        for container in containers { plan.addRemains(of: container, after: [deletes[container.id]!], seen) }
        let gone = [mark] + containers.map { deletes[$0.id]! }
        plan.addSandboxRemains(after: gone, seen)
        plan.addCgroups(after: gone)
        plan.add(
            .sandbox(id: sandbox.id), .forget(name: sandbox.metadata.reservedName), after: Array(plan.steps.indices))
        return plan
    }

    /// Plans a stop: the containers end, and their records and directories stay.
    ///
    /// - Parameters:
    ///   - grace: How long a container may take to end after its stop signal before it is killed.
    ///   - hook: As for `remove`.
    public static func stop(
        _ sandbox: Sandbox, _ containers: [Container], _ seen: SandboxSnapshot, grace: Duration, hook: Bool = false
    ) -> RemovalPlan {
        var plan = RemovalPlan(.stop, sandbox, containers, seen, hook: hook)
        let ends = plan.addEnds(seen) { grace > .zero ? ($0.stopSignal, grace) : (Signal.kill, .zero) }
        let all = containers.compactMap { ends[$0.id] }
        plan.addShm(after: all)
        plan.addNamespaces(after: all)
        plan.add(.sandbox(id: sandbox.id), .markNotReady, after: Array(plan.steps.indices))
        return plan
    }

    /// Plans only the caller's hook, for a sandbox whose namespaces another call has already deleted.
    static func hook(_ purpose: Purpose, of sandbox: Sandbox, _ seen: SandboxSnapshot) -> RemovalPlan {
        var plan = RemovalPlan(purpose, sandbox, [], seen, hook: true)
        if !plan.isAfterReboot { plan.add(.sandbox(id: sandbox.id), .beforeNamespaces, after: []) }
        return plan
    }

    private let hasHook: Bool

    init(
        _ purpose: Purpose, _ sandbox: Sandbox, _ containers: [Container], _ seen: SandboxSnapshot, hook: Bool = false
    ) {
        hasHook = hook
        self.purpose = purpose
        self.sandbox = sandbox
        self.containers = containers
        isAfterReboot = sandbox.isFromEarlierBoot(than: seen.bootID)
    }

    @discardableResult
    mutating func add(_ subject: Subject, _ action: Action, after: [Int]) -> Int {
        steps.append(Step(number: steps.count, subject: subject, action: action, dependencies: after))
        return steps.count - 1
    }

    /// Ends the workload containers side by side, then the infra container, because it holds what they live in. The
    /// result leaves out containers that have already ended.
    private mutating func addEnds(
        _ seen: SandboxSnapshot, how: (Container) -> (signal: UInt8, grace: Duration)
    ) -> [String: Int] {
        var ends: [String: Int] = [:]
        var workloads: [Int] = []
        for container in containers.filter({ !$0.isInfra }) + containers.filter(\.isInfra) {
            guard let method = method(for: container, seen) else { continue }
            let (signal, grace) = how(container)
            let end = Action.end(method, signal: signal, grace: grace)
            ends[container.id] = add(.container(id: container.id), end, after: container.isInfra ? workloads : [])
            if !container.isInfra { workloads.append(ends[container.id]!) }
        }
        return ends
    }

    /// nil if nothing of the container lives.
    func method(for container: Container, _ seen: SandboxSnapshot) -> EndMethod? {
        if isAfterReboot { return .beforeReboot }
        switch seen.processes[container.id] ?? .unknown {
        case .running(let process): return .process(process)
        case .ended(let remaining): return remaining.isEmpty ? nil : .remaining(remaining)
        case .unknown: return .askRuntime
        }
    }

    private mutating func addDeletes(after ends: [String: Int], _ mark: Int) -> [String: Int] {
        var deletes: [String: Int] = [:]
        for container in containers {
            deletes[container.id] = add(
                .container(id: container.id), .delete(runtime: container.runtime),
                after: [mark] + [ends[container.id]].compactMap { $0 })
        }
        return deletes
    }

    mutating func addRemains(of container: Container, after: [Int], _ seen: SandboxSnapshot) {
        let subject = Subject.container(id: container.id)
        let gone = after + container.directories.map { addDirectory($0, of: subject, after: after, seen) }
        if !container.isInfra {
            add(subject, .releaseName(container.reservedName(in: sandbox.metadata)), after: gone)
        }
    }

    private mutating func addSandboxRemains(after: [Int], _ seen: SandboxSnapshot) {
        addShm(after: after)
        addNamespaces(after: after)
        let own = sandbox.ownDirectory
        // What lies inside the directory is removed first: shm and the containers' directories.
        let inside = steps.filter { step in
            switch step.action {
            case .unmountShm, .removeDirectory, .unmount: isBeneath(sandbox.directory, step.target)
            default: false
            }
        }
        addDirectory(own, of: .sandbox(id: sandbox.id), after: after + inside.map(\.number), seen)
    }

    /// Returns the number of the step after which the directory is gone.
    @discardableResult
    private mutating func addDirectory(
        _ directory: Container.Directory, of subject: Subject, after: [Int], _ seen: SandboxSnapshot
    ) -> Int {
        let handled = steps.flatMap { step -> [[UInt8]] in
            switch step.action {
            case .unmountShm(let path): [Array(path.utf8)]
            case .unmount(_, let mounts): mounts
            default: []
            }
        }
        let mounts = seen.mounts.outermost(beneath: Array(directory.path.utf8))
            .filter { !handled.contains($0) }
        var after = after
        if !mounts.isEmpty {
            after.append(add(subject, .unmount(beneath: directory, mounts: mounts), after: after))
        }
        return add(subject, .removeDirectory(directory), after: after)
    }

    private mutating func addShm(after: [Int]) {
        guard let shm = sandbox.shm, !sandbox.usesHostShm else { return }
        add(.sandbox(id: sandbox.id), .unmountShm(shm), after: after)
    }

    /// No cgroup outlives a boot.
    private mutating func addCgroups(after: [Int]) {
        guard !sandbox.cgroups.isEmpty, !isAfterReboot else { return }
        add(.sandbox(id: sandbox.id), .removeCgroups(sandbox.cgroups), after: after)
    }

    /// A pin is a mount and does not outlive a boot, so whatever is at its path after a boot belongs to somebody else.
    private mutating func addNamespaces(after: [Int]) {
        let pins = sandbox.namespaces.filter { !$0.closed && !isAfterReboot }
        var after = after
        if hasHook, !pins.isEmpty { after.append(add(.sandbox(id: sandbox.id), .beforeNamespaces, after: after)) }
        for pin in pins {
            add(.sandbox(id: sandbox.id), .deleteNamespace(pin), after: after)
        }
    }
}
