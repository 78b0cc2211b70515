internal import FoundationEssentials

/// Where containerd (1.x and 2.x) keeps pods' bundles, directories and the runtime's state.
public struct ContainerdLayout: Sendable {
    /// containerd's `state` and `root`.
    public var state = "/run/containerd"
    public var root = "/var/lib/containerd"
    /// runc's root directory. If nil, it is what a bundle's options say, or else `/run/containerd/runc/NAMESPACE`,
    /// which does not depend on `state`.
    public var runtimeRoot: String?
    /// containerd's own namespace for the kubelet's containers.
    public var namespace = "k8s.io"
    private let files: NodeFiles

    public init(_ files: NodeFiles = NodeFiles()) { self.files = files }

    private var bundles: String { "\(state)/io.containerd.runtime.v2.task/\(namespace)" }
    private var works: String { "\(root)/io.containerd.runtime.v2.task/\(namespace)" }
    private static let plugin = "io.containerd.grpc.v1.cri"
    private var defaultRuntimeRoot: String { runtimeRoot ?? "/run/containerd/runc/\(namespace)" }

    /// Reads what exists. Either the runtime's state or the bundle alone is enough to identify a container.
    public func observe() throws(ObservationError) -> ObservedNode {
        var node = ObservedNode()
        var states: [String: RuntimeStateFile] = [:]
        for state in try RuntimeStateFile.all(in: defaultRuntimeRoot, files, problem: { node.problems.append("\($0)") })
        {
            states[state.id] = state
        }
        var traces: [ContainerTrace] = []
        for id in try files.names(in: bundles) {
            do throws(ObservationError) { traces.append(try trace(id, &states)) } catch {
                node.problems.append("\(error)")
            }
        }
        for (id, state) in states.sorted(by: { $0.key < $1.key }) {
            let runtime = ObservedRuntime(name: state.format, root: defaultRuntimeRoot)
            traces.append(ContainerTrace(id: id, bundle: nil, spec: nil, state: state, runtime: runtime))
        }
        var pods: [String: [ContainerTrace]] = [:]
        for trace in traces {
            guard let pod = trace.annotations[Key.sandbox] else {
                node.problems.append(
                    "\(trace.bundle ?? "the container \(trace.id)") is no pod's: it has no annotation \(Key.sandbox)")
                continue
            }
            pods[pod, default: []].append(trace)
        }
        // The containers of these pods belong to a runtime other than runc and crun: what those do not know about them
        // proves nothing.
        for (id, traces) in pods {
            guard let shim = traces.compactMap(\.foreignShim).first else { continue }
            pods[id] = nil
            node.problems.append(
                "the pod \(id) is run by \(shim), which is not runc's shim: podreap cannot tell whether it lives, and leaves it alone"
            )
        }
        for (id, traces) in pods.sorted(by: { $0.key < $1.key }) { node.pods.append(try pod(id, traces)) }
        try addEnded(to: &node, known: Set(pods.keys).union(traces.map(\.id)))
        return node
    }

    /// Removes the container's state from `states`, unless its shim's options name another root directory.
    private func trace(
        _ id: String, _ states: inout [String: RuntimeStateFile]
    ) throws(ObservationError) -> ContainerTrace {
        let bundle = "\(bundles)/\(id)"
        let spec = try files.json("\(bundle)/config.json", as: BundleSpec.self)
        if spec == nil, states[id] == nil {
            throw .malformed(file: "\(bundle)/config.json", line: 1, expected: "to be there")
        }
        var runtime = ObservedRuntime(name: "runc", root: defaultRuntimeRoot)
        let options = try? files.json("\(bundle)/options.json", as: ShimOptions.self)
        if let root = options?.root, !root.isEmpty, runtimeRoot == nil { runtime.root = "\(root)/\(namespace)" }
        // Older shims store the program's name in a file of its own.
        let program = [options?.binary, (try? files.text(of: "\(bundle)/runtime")) ?? nil].compactMap { $0 }
            .first { !$0.isEmpty }
        if let program { runtime.setProgram(program) }
        runtime.hooks = spec?.hasPoststopHooks ?? false
        let state =
            runtime.root == defaultRuntimeRoot
            ? states.removeValue(forKey: id) : (try? RuntimeStateFile.read(id, in: runtime.root, files)) ?? nil
        var trace = ContainerTrace(id: id, bundle: bundle, spec: spec, state: state, runtime: runtime)
        trace.foreignShim = try foreignShim(bundle)
        return trace
    }

    /// The shim that runs a bundle; nil if it is one of runc's. The bundle of a pod's first container always names its
    /// shim.
    private func foreignShim(_ bundle: String) throws(ObservationError) -> String? {
        guard let text = try files.text(of: "\(bundle)/shim-binary-path") else { return nil }
        let program = String(text.prefix { $0 != "\n" })
        guard let name = program.split(separator: "/").last, !name.hasPrefix("containerd-shim-runc-v") else {
            return nil
        }
        return program.unicodeScalars.map { $0.escaped(asASCII: true) }.joined()
    }

    private func pod(_ id: String, _ traces: [ContainerTrace]) throws(ObservationError) -> ObservedPod {
        let infra = traces.first { $0.id == id }
        let source = infra ?? traces[0]
        let sandboxes = "\(state)/\(Self.plugin)/sandboxes"
        let directory = ObservedDirectory("\(sandboxes)/\(id)", beneath: sandboxes)
        let own = "\(directory.path)/shm"
        let hasOwn = try files.observation(of: own) == nil ? nil : own
        var pod = ObservedPod(
            id: id, name: source.annotations[Key.name] ?? "", namespace: source.annotations[Key.namespace] ?? "",
            uid: source.annotations[Key.uid] ?? "", directory: directory,
            shm: source.spec?.shm ?? hasOwn,
            pins: infra?.pins ?? [:], processLabel: source.processLabel, mountLabel: source.mountLabel,
            created: infra?.state?.created, containers: [])
        for trace in traces { pod.containers.append(try container(trace, isInfra: trace.id == id)) }
        pod.sortContainers()
        return pod
    }

    private func container(_ trace: ContainerTrace, isInfra: Bool) throws(ObservationError) -> ObservedContainer {
        let id = trace.id
        var places = [
            ObservedDirectory("\(bundles)/\(id)", beneath: bundles),
            ObservedDirectory("\(works)/\(id)", beneath: works),
        ]
        for folder in isInfra
            ? ["\(root)/\(Self.plugin)/sandboxes"] : [root, state].map({ "\($0)/\(Self.plugin)/containers" })
        {
            places.append(ObservedDirectory("\(folder)/\(id)", beneath: folder))
        }
        return try trace.container(
            isInfra: isInfra, name: trace.annotations[Key.container] ?? (isInfra ? "POD" : id),
            image: trace.annotations[Key.image] ?? "", places: places, files)
    }

    /// Directories of pods and containers that neither a bundle nor the runtime knows: their containers have ended, and
    /// only containerd's own database says more about them.
    private func addEnded(to node: inout ObservedNode, known: Set<String>) throws(ObservationError) {
        for folder in [state, root].flatMap({ ["\($0)/\(Self.plugin)/sandboxes", "\($0)/\(Self.plugin)/containers"] }) {
            for id in try files.names(in: folder) where !known.contains(id) {
                node.problems.append("\(folder)/\(id) is left of a pod that has ended; podreap gc removes it")
                if !node.ended.contains(id) { node.ended.append(id) }
            }
        }
    }

    private enum Key {
        static let sandbox = "io.kubernetes.cri.sandbox-id"
        static let name = "io.kubernetes.cri.sandbox-name"
        static let namespace = "io.kubernetes.cri.sandbox-namespace"
        static let uid = "io.kubernetes.cri.sandbox-uid"
        static let container = "io.kubernetes.cri.container-name"
        static let image = "io.kubernetes.cri.image-name"
    }

    /// `options.json` of a bundle: the shim's options.
    private struct ShimOptions: Decodable {
        let root: String?
        let binary: String?

        enum CodingKeys: String, CodingKey {
            case root = "Root"
            case binary = "BinaryName"
        }
    }
}
