internal import FoundationEssentials

/// Where CRI-O keeps pods: in containers-storage. podman uses that too, so annotations tell whether a container is
/// CRI-O's.
public struct CRIOLayout: Sendable {
    /// The storage's `runroot` and `root`.
    public var state = "/run/containers/storage"
    public var root = "/var/lib/containers/storage"
    /// The runtimes' root directories; each container's state is in one of them.
    public var runtimeRoots = ["/run/runc", "/run/crun"]
    private let files: NodeFiles

    public init(_ files: NodeFiles = NodeFiles()) { self.files = files }

    /// Reads what exists. Either the runtime's state or the bundle alone is enough to identify a container.
    public func observe() throws(ObservationError) -> ObservedNode {
        var node = ObservedNode()
        var states: [String: (file: RuntimeStateFile, root: String)] = [:]
        for root in runtimeRoots {
            for file in try RuntimeStateFile.all(in: root, files, problem: { node.problems.append("\($0)") }) {
                states[file.id] = (file, root)
            }
        }
        var traces: [String: Found] = [:]
        // `overlay-containers`, or the folder of another storage driver.
        for folder in try folders() {
            let (runFolder, dataFolder) = ("\(state)/\(folder)", "\(root)/\(folder)")
            for id in Set(try files.names(in: runFolder) + files.names(in: dataFolder)).sorted() {
                do throws(ObservationError) {
                    guard let (bundle, spec) = try bundle(id, [runFolder, dataFolder]) else { continue }
                    let trace = trace(id, bundle, spec, states[id])
                    traces[id] = Found(trace: trace, runFolder: runFolder, dataFolder: dataFolder)
                } catch {
                    node.problems.append("\(error)")
                }
            }
        }
        for (id, state) in states where traces[id] == nil {
            let folder = "overlay-containers"
            traces[id] = Found(
                trace: trace(id, nil, nil, state), runFolder: "\(self.state)/\(folder)", dataFolder: "\(root)/\(folder)"
            )
        }
        let own = traces.values.filter { $0.trace.annotations[Key.manager] == "cri-o" }
        for (id, traces) in Dictionary(grouping: own, by: { $0.trace.annotations[Key.sandbox] ?? "" })
            .sorted(by: { $0.key < $1.key })
        {
            guard !id.isEmpty else {
                for found in traces {
                    node.problems.append("the container \(found.trace.id) has no annotation \(Key.sandbox)")
                }
                continue
            }
            node.pods.append(try pod(id, traces))
        }
        return node
    }

    private struct Found {
        let trace: ContainerTrace
        let runFolder: String
        let dataFolder: String
    }

    private func folders() throws(ObservationError) -> [String] {
        Set(try files.names(in: state) + files.names(in: root)).filter { $0.hasSuffix("-containers") }.sorted()
    }

    /// A reboot empties the run folder; the data folder has a copy.
    private func bundle(
        _ id: String, _ folders: [String]
    ) throws(ObservationError) -> (path: String, spec: BundleSpec)? {
        for folder in folders {
            let bundle = "\(folder)/\(id)/userdata"
            if let spec = try files.json("\(bundle)/config.json", as: BundleSpec.self) { return (bundle, spec) }
        }
        return nil
    }

    private func trace(
        _ id: String, _ bundle: String?, _ spec: BundleSpec?, _ state: (file: RuntimeStateFile, root: String)?
    ) -> ContainerTrace {
        var runtime = ObservedRuntime(name: state?.file.format ?? "runc", root: state?.root ?? runtimeRoots[0])
        runtime.isRootKnown = state != nil
        runtime.hooks = spec?.hasPoststopHooks ?? false
        return ContainerTrace(id: id, bundle: bundle, spec: spec, state: state?.file, runtime: runtime)
    }

    private func pod(_ id: String, _ traces: [Found]) throws(ObservationError) -> ObservedPod {
        let infra = traces.first { $0.trace.id == id }
        let source = infra ?? traces[0]
        let about = source.trace.annotations
        let labels = Self.map(about[Key.labels])
        let metadata = infra.flatMap { Self.decode($0.trace.annotations[Key.metadata], as: Metadata.self) }
        let (fallbackName, fallbackAttempt) = Self.kubeletName(about[Key.sandboxName])
        var pod = ObservedPod(
            id: id, name: metadata?.name ?? labels["io.kubernetes.pod.name"] ?? fallbackName.first ?? "",
            namespace: metadata?.namespace ?? labels["io.kubernetes.pod.namespace"] ?? fallbackName.dropFirst().first
                ?? "",
            uid: metadata?.uid ?? labels["io.kubernetes.pod.uid"] ?? fallbackName.dropFirst(2).first ?? "",
            // The attempt is omitted if it is 0.
            attempt: metadata.map { $0.attempt ?? 0 } ?? fallbackAttempt,
            directory: ObservedDirectory("\(source.runFolder)/\(id)", beneath: source.runFolder),
            shm: infra?.trace.annotations[Key.shm].flatMap { $0.isEmpty ? nil : $0 } ?? source.trace.spec?.shm,
            pins: source.trace.pins, processLabel: source.trace.processLabel, mountLabel: source.trace.mountLabel,
            labels: infra == nil ? [:] : labels, annotations: Self.map(infra?.trace.annotations[Key.annotations]),
            created: infra?.trace.annotations[Key.created] ?? infra?.trace.state?.created, containers: [])
        for found in traces { pod.containers.append(try container(found, isInfra: found.trace.id == id)) }
        pod.cgroups = try podCgroups(of: pod, traces.map(\.trace), parent: about[Key.cgroupParent])
        pod.sortContainers()
        return pod
    }

    /// The cgroups that CRI-O makes itself: the pod's, if it runs without an infra container (`drop_infra_ctr`), and
    /// those of its conmons with the cgroupfs driver. They lie beneath the pod's parent cgroup in every hierarchy.
    private func podCgroups(
        of pod: ObservedPod, _ traces: [ContainerTrace], parent: String?
    ) throws(ObservationError) -> [String] {
        var parents = Set(traces.flatMap(\.parentCgroups))
        if let parent = parent.flatMap(CgroupParent.path) {
            for hierarchy in try files.cgroupHierarchies() { parents.insert(hierarchy + parent) }
        }
        let names = ["crio-\(pod.id)"] + traces.map { "crio-conmon-\($0.id)" }.sorted()
        let taken = Set(pod.containers.flatMap(\.cgroups))
        var found: [String] = []
        for path in parents.sorted().flatMap({ parent in names.map { "\(parent)/\($0)" } }) where !taken.contains(path)
        {
            if try files.observation(of: path)?.kind == .directory { found.append(path) }
        }
        return found
    }

    private func container(_ found: Found, isInfra: Bool) throws(ObservationError) -> ObservedContainer {
        let trace = found.trace
        let about = trace.annotations
        let metadata = Self.decode(about[Key.metadata], as: Metadata.self)
        // The pod's own directory is the infra container's bundle.
        var places = [ObservedDirectory("\(found.dataFolder)/\(trace.id)", beneath: found.dataFolder)]
        if !isInfra {
            places.insert(ObservedDirectory("\(found.runFolder)/\(trace.id)", beneath: found.runFolder), at: 0)
        }
        if let mounted = about[Key.mountPoint] ?? trace.spec?.root?.path ?? trace.state?.rootfs,
            let layers = Self.layers(mounted, beneath: root)
        {
            places.append(ObservedDirectory(mounted, beneath: layers))
        }
        var container = try trace.container(
            isInfra: isInfra, name: isInfra ? "POD" : metadata?.name ?? trace.id, image: about[Key.image] ?? "",
            places: places, files)
        if !isInfra {
            container.attempt = metadata.map { $0.attempt ?? 0 } ?? Self.kubeletName(about[Key.name]).attempt
            container.labels = Self.map(about[Key.labels])
            container.annotations = Self.map(about[Key.annotations])
        }
        container.created = about[Key.created] ?? container.created
        return container
    }

    /// `ROOT/DRIVER` if a mount point is `ROOT/DRIVER/LAYER/NAME`. What is mounted there belongs to the container, and
    /// the layer to the storage.
    private static func layers(_ mountPoint: String, beneath root: String) -> String? {
        guard mountPoint.hasPrefix(root + "/") else { return nil }
        let names = mountPoint.dropFirst(root.count + 1).split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 3, names[2] == "merged" else { return nil }
        return "\(root)/\(names[0])"
    }

    /// The parts of `k8s_POD_NAMESPACE_UID_ATTEMPT` or `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, without the first and
    /// the last.
    private static func kubeletName(_ text: String?) -> (parts: [String], attempt: UInt32?) {
        let parts = (text ?? "").split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 5, parts[0] == "k8s" else { return ([], nil) }
        return (Array(parts.dropFirst().dropLast()), parts.last.flatMap { UInt32($0) })
    }

    private static func decode<Value: Decodable>(_ text: String?, as type: Value.Type) -> Value? {
        text.flatMap { try? JSONDecoder().decode(type, from: Data($0.utf8)) }
    }

    /// Go writes an empty map as `null`.
    private static func map(_ text: String?) -> [String: String] { decode(text, as: [String: String].self) ?? [:] }

    private struct Metadata: Decodable {
        let name: String?
        let namespace: String?
        let uid: String?
        let attempt: UInt32?
    }

    private enum Key {
        static let manager = "io.container.manager"
        private static let prefix = "io.kubernetes.cri-o."
        static let sandbox = prefix + "SandboxID"
        static let sandboxName = prefix + "SandboxName"
        static let name = prefix + "Name"
        static let metadata = prefix + "Metadata"
        static let labels = prefix + "Labels"
        static let annotations = prefix + "Annotations"
        static let created = prefix + "Created"
        static let image = prefix + "ImageName"
        static let mountPoint = prefix + "MountPoint"
        static let shm = prefix + "ShmPath"
        static let cgroupParent = prefix + "CgroupParent"
    }
}
