internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension RegistrationValidator {
    /// Finds the pod's own cgroups and its monitors, and what tells them from later ones. What is not there is not
    /// recorded, so that nothing that has its name later is taken for it.
    mutating func findPodsOwn() throws(RemovalError) {
        try findPodCgroups()
        try findMonitors()
    }

    private mutating func findPodCgroups() throws(RemovalError) {
        let ofContainers = Set(containers.flatMap(\.cgroups))
        var found: [PodCgroup] = []
        for (index, cgroup) in sandbox.cgroups.enumerated() {
            let field = "sandbox.cgroups[\(index)]"
            // A container's own goes with the container.
            guard !ofContainers.contains(cgroup.path) else { continue }
            let identity = try observing { () throws(ObservationError) in try Cgroup.fileIdentity(of: cgroup.path) }
            guard let identity else {
                warnings.append("\(field): \(cgroup.path) is not there")
                continue
            }
            do throws(RootError) { _ = try roots.place(cgroup.path, for: .remove, in: [.cgroup]) } catch {
                warnings.append("\(field): it cannot be removed with the pod: \(error)")
            }
            found.append(PodCgroup(path: cgroup.path, identity: identity))
        }
        sandbox.cgroups = found
    }

    /// The processes that are still monitors of this pod: they may have ended since the document was written.
    private mutating func findMonitors() throws(RemovalError) {
        let ids = Set([sandbox.id] + containers.map(\.id))
        var found: [ProcessReference] = []
        for (index, said) in sandbox.monitors.enumerated() {
            let monitor = try observing { () throws(ObservationError) in try ContainerMonitor.of(pid: said.pid) }
            guard let monitor, !ids.isDisjoint(with: monitor.containers) else {
                warnings.append("sandbox.monitors[\(index)]: process \(said.pid) is no shim or conmon of this pod")
                continue
            }
            found.append(ProcessReference(pid: monitor.pid, startTime: monitor.startTime))
        }
        sandbox.monitors = found
    }
}
