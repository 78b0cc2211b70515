/// Finds shims and conmons that have nothing left to wait for: their container's bundle is gone, they have no living
/// child, and no process is in a cgroup that is named after one of their containers.
public enum MonitorSearch {
    /// Searches among the node's own; only root sees which these are.
    public static func leftOver() throws(ObservationError) -> [ContainerMonitor] {
        let monitors = try ContainerMonitor.all()
        var found: [ContainerMonitor] = []
        for monitor in monitors where monitor.isOfNode && (try? monitor.hasLostBundle) == true { found.append(monitor) }
        guard !found.isEmpty else { return [] }
        var parents: Set<Int32> = []
        for pid in try ProcessTable.pids() {
            guard let status = try ProcessStatus.of(pid: pid), !status.hasEnded else { continue }
            parents.insert(status.parent)
        }
        // A conmon may have a cgroup of its own, which is called after its container too.
        let names = try CgroupNames(besides: Set(monitors.map(\.pid)))
        return found.filter { !parents.contains($0.pid) && names.processes(of: Set($0.containers)).isEmpty }
    }
}

extension ContainerMonitor {
    /// Whether the bundle with which it was started is gone. conmon names it on its command line; runc's shim has it as
    /// its working directory. False for any other shim, whose containers may live in a virtual machine.
    fileprivate var hasLostBundle: Bool {
        get throws(ObservationError) {
            if let bundle {
                guard bundle.first == "/" else { return false }
                return try FileObservation.of(bundle) == nil
            }
            guard program.hasPrefix("containerd-shim-runc-v"), let directory = try linkTarget("/proc/\(pid)/cwd")
            else { return false }
            return directory.text.hasSuffix(" (deleted)") && containers.contains { directory.text.contains("/\($0)") }
        }
    }
}
