public import NodeObservation
public import SandboxRegistry

/// What a rescue does to a living runtime's pod before it asks the runtime again. Each act only undoes what keeps the
/// runtime from doing its own work, and names what it acts on by an identity.
public enum RescueAct: Sendable, Equatable {
    /// Thaws a cgroup in which nobody but the pod lives.
    case thaw(FrozenCgroup)
    /// Lets a shim or conmon go on that was stopped by a signal.
    case resume(ProcessReference, program: String)
    /// Kills a container's processes.
    case kill([ProcessReference], container: String)
    /// Detaches the root filesystem of a container that has ended.
    case detach(path: String, container: String)
}

/// The acts that a pod's state calls for, and what no act can cure.
public struct RescuePlan: Sendable, Equatable {
    public var acts: [RescueAct] = []
    /// What else blocks: findings with their own remedies.
    public var beyond: [Finding] = []

    /// A pure function of what was observed.
    public static func of(_ facts: PodFacts) -> RescuePlan {
        var plan = RescuePlan()
        guard let runtime = facts.runtime else { return plan }
        plan.acts = facts.frozen.filter(\.isPodsAlone).map { .thaw($0.cgroup) }
        plan.acts += runtime.monitors.filter { $0.process.state == "T" }.map {
            .resume(ProcessReference($0.process), program: $0.process.name)
        }
        let watched = Set(runtime.monitors.flatMap(\.containers))
        for container in facts.containers {
            let living = facts.members.filter { $0.container == container.id && !$0.process.isZombie }
            // The runtime ends the pod's own container itself; if it was killed, containerd would forget the pod and
            // leave its shim. It cannot where that container's state or shim is gone.
            let isRuntimesOwn = container.isInfra && !runtime.lost.contains(container.id) && !watched.isEmpty
            if !living.isEmpty, !isRuntimesOwn {
                plan.acts.append(.kill(living.map { ProcessReference($0.process) }, container: container.id))
            }
            if living.isEmpty, let path = runtime.rootfs[container.id], facts.isBusy(path) {
                plan.acts.append(.detach(path: path, container: container.id))
            }
        }
        let cured: Set<Finding.Cause> = [.monitorStopped, .monitorGone, .lostState, .livingProcess, .busyRootfs]
        plan.beyond = Explanation.of(facts).findings.filter { finding in
            guard finding.weight == .blocks, !cured.contains(finding.cause), finding.cause != .runtimeError else {
                return false
            }
            guard finding.cause == .frozenCgroup else { return true }
            return facts.frozen.contains { !$0.isPodsAlone && $0.cgroup.directory == finding.evidence.first?.path }
        }
        return plan
    }
}

extension PodFacts {
    /// Whether a root filesystem is mounted and something on the node uses it.
    func isBusy(_ rootfs: String) -> Bool {
        mounts.contains { $0.isOwn && $0.path == rootfs } && (!users(of: rootfs).isEmpty || !mounts(in: rootfs).isEmpty)
    }

    /// Whether somebody has asked the runtime to remove the pod, or the pod has ended.
    public var isHealthy: Bool { runtime?.isAsked == false }
}

extension ProcessReference {
    fileprivate init(_ process: ProcessObservation) { self.init(pid: process.pid, startTime: process.startTime) }
}
