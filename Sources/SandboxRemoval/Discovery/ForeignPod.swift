import FoundationEssentials
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

/// A pod that was found, and the runtime that it belongs to.
struct ForeignPod: Sendable {
    var runtime: ForeignRuntime
    var pod: ObservedPod

    /// The creation time, for ordering. All runtimes write RFC 3339 in UTC, which sorts by time.
    var age: String { pod.created ?? pod.containers.compactMap(\.created).min() ?? "" }

    /// The document that registers the pod, validated as `register` will validate it.
    ///
    /// - Parameter monitors: The node's shims and conmons.
    func document(_ files: NodeFiles, _ monitors: [ContainerMonitor]) throws(DocumentError) -> RegistrationDocument {
        let boot = Date()
        let created = Self.date(age) ?? boot
        let metadata = PodMetadata(
            name: pod.name, namespace: pod.namespace, uid: pod.uid, attempt: pod.attempt ?? 0)
        let ids = Set([pod.id] + pod.containers.map(\.id))
        let runtime = pod.containers.first?.runtime.name ?? "runc"
        var sandbox = Sandbox(
            id: pod.id, metadata: metadata, createdAt: created, runtime: runtime,
            directory: files.canonical(pod.directory.path), shm: pod.shm.map(files.canonical),
            namespaces: NamespaceKind.allCases.compactMap { kind in
                pod.pins[kind.rawValue].map { NamespacePin(kind: kind, path: files.canonical($0)) }
            },
            cgroups: pod.cgroups.map { PodCgroup(path: $0) },
            monitors: monitors.filter { !ids.isDisjoint(with: $0.containers) }.map {
                ProcessReference(pid: $0.pid, startTime: $0.startTime)
            },
            processLabel: pod.processLabel, mountLabel: pod.mountLabel, labels: pod.labels,
            annotations: pod.annotations)
        // A shm outside the pod's directory belongs to something else: a container's own mount of /dev/shm, or a
        // volume.
        if let shm = sandbox.shm, !sandbox.usesHostShm, !isBeneath(sandbox.directory, shm) { sandbox.shm = nil }
        let containers = pod.containers.map { container in
            Container(
                id: container.id, sandboxID: pod.id, isInfra: container.isInfra, name: container.name,
                attempt: container.isInfra ? metadata.attempt : container.attempt ?? 0,
                createdAt: container.created.flatMap(Self.date) ?? created, runtime: container.runtime.name,
                image: container.image,
                directories: container.directories.map { Container.Directory(path: files.canonical($0.path)) },
                stopSignal: container.stopSignal.flatMap(Signal.number(named:)) ?? Signal.terminate,
                cgroups: container.cgroups, labels: container.labels, annotations: container.annotations)
        }
        // The document names no process: `register` asks the runtime for it, because the process may end before then.
        let document = RegistrationDocument(sandbox: sandbox, containers: containers)
        return try RegistrationDocument(json: document.json())
    }

    private static func date(_ text: String) -> Date? { Date(rfc3339: text) }
}
