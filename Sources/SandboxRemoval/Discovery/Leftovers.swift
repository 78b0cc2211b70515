internal import NodeObservation
internal import SandboxRegistry

/// Something that belongs to another runtime's pods and that podreap does not remove, and what to do about it.
public struct Leftover: Sendable, Equatable {
    public var what: String
    public var remedy: String
    /// What to run for it, in this order.
    public var commands: [String] = []
}

extension Discovery {
    /// What these pods leave besides what podreap removes: shims, databases, image layers, CNI leases, volumes.
    public func leftovers() throws(RemovalError) -> [Leftover] {
        do throws(ObservationError) {
            var found = try minders()
            let known = Set(pods.map(\.runtime))
            for runtime in runtimes where known.contains(runtime) { found += try storage(of: runtime) }
            found += try networks()
            for foreign in pods { found += try others(foreign.pod) }
            return found
        } catch {
            throw .observation(error)
        }
    }

    /// Processes that monitor the pods' containers: a shim for each pod, or a conmon for each container.
    private func minders() throws(ObservationError) -> [Leftover] {
        let ids = Set(pods.flatMap { [$0.pod.id] + $0.pod.containers.map(\.id) })
        var found: [Leftover] = []
        for process in try ContainerMonitor.all() where !ids.isDisjoint(with: process.containers) {
            let id = process.containers.first { ids.contains($0) } ?? ""
            found.append(
                Leftover(
                    what: "\(process.program), process \(process.pid), monitors \(id)",
                    remedy: process.endsByItself
                        ? "it ends with its container"
                        : "once the pod is removed: sudo podreap gc --remove --older-than 0"))
        }
        return found
    }

    private func storage(of runtime: ForeignRuntime) throws(ObservationError) -> [Leftover] {
        switch runtime {
        case .containerd:
            let root = folders.containerd().root
            return try present([
                Leftover(
                    what: "\(root)/io.containerd.metadata.v1.bolt/meta.db",
                    remedy:
                        "containerd's database still lists the pods and containers, with their layers. When the pods are "
                        + "removed and containerd runs again, take them from there:",
                    commands: try databaseCommands(root))
            ])
        case .crio:
            let root = folders.crio().root
            return try present([
                Leftover(
                    what: "/run/crio",
                    remedy:
                        "conmon's links and its files of exit statuses are no directories, and stay. When the pods are "
                        + "removed:",
                    commands: pods.filter { $0.runtime == .crio }.flatMap { $0.pod.containers }.filter { !$0.isInfra }
                        .map { "rm -f /run/crio/\($0.id) /run/crio/exits/\($0.id)" }),
                Leftover(
                    what: "\(root)/overlay-containers/containers.json", remedy: Self.ofStorage),
                Leftover(
                    what: "\(root)/overlay-containers/volatile-containers.json", remedy: Self.ofStorage),
            ])
        }
    }

    /// The commands that remove each container, and its layer with it, from containerd's database, and then restart
    /// containerd, because it does not forget a pod that it has read. From version 2 on the database has pods as well:
    /// each goes together with its infra container, and not after it.
    private func databaseCommands(_ root: String) throws(ObservationError) -> [String] {
        let pods = pods.filter { $0.runtime == .containerd }.map(\.pod)
        let ids = pods.flatMap { $0.containers.map(\.id) }
        let ended = (ended[.containerd] ?? []).filter { !ids.contains($0) }
        let namespace = folders.containerd().namespace
        let monitor = monitors.first { $0.namespace == namespace && !Set(ids).isDisjoint(with: $0.containers) }
        var ctr = "ctr"
        if let address = monitor?.address, address != "/run/containerd/containerd.sock" {
            ctr += " -a \(quoted(address))"
        }
        var (containers, sandboxes) = (ids + ended, [String]())
        if try files.observation(of: "\(root)/io.containerd.sandbox.controller.v1.shim") != nil {
            let folder = "\(root)/io.containerd.grpc.v1.cri/sandboxes"
            sandboxes = pods.map(\.id)
            for id in ended where try files.observation(of: "\(folder)/\(id)") != nil { sandboxes.append(id) }
            containers.removeAll { sandboxes.contains($0) }
        }
        return sandboxes.map { "\(ctr) -n \(namespace) sandboxes rm \($0)" }
            + containers.map { "\(ctr) -n \(namespace) containers rm \($0)" } + ["systemctl restart containerd"]
    }

    private static let ofStorage = """
        the storage lists the containers, and keeps their layers; CRI-O takes both from there by itself when it starts \
        again, because it cannot restore the pods (seen with 1.36)
        """

    private func present(_ leftovers: [Leftover]) throws(ObservationError) -> [Leftover] {
        var found: [Leftover] = []
        for leftover in leftovers where try files.observation(of: leftover.what) != nil { found.append(leftover) }
        return found
    }

    private func networks() throws(ObservationError) -> [Leftover] {
        let ids = Set(pods.map(\.pod.id))
        return try CNILeases.all(files).filter { ids.contains($0.container) }.map { lease in
            Leftover(
                what:
                    "\(lease.path), an address or a result of the network \(lease.network), is held for \(lease.container)",
                remedy: "CNI DEL before the removal gives it back; afterwards: rm \(lease.path)")
        }
    }

    private func others(_ pod: ObservedPod) throws(ObservationError) -> [Leftover] {
        var found: [Leftover] = []
        for (kind, path) in pod.pins.sorted(by: { $0.key < $1.key }) where NamespaceKind(rawValue: kind) == nil {
            found.append(
                Leftover(
                    what: "\(path) pins a \(kind) namespace of \(pod.id)", remedy: "umount \(path) && rm \(path)"))
        }
        found += try present([
            Leftover(
                what: "/var/lib/kubelet/pods/\(pod.uid)",
                remedy: "the kubelet unmounts and removes a pod's volumes; without it: umount what "
                    + "findmnt -R shows there, then rm -r"),
            Leftover(
                what: "/var/log/pods/\(pod.namespace)_\(pod.name)_\(pod.uid)", remedy: "the pod's logs: rm -r"),
        ])
        return found
    }
}
