public import NodeObservation
public import SandboxRegistry

/// Another container runtime whose pods can be discovered.
public enum ForeignRuntime: String, Sendable, CaseIterable {
    case crio, containerd

    var title: String { self == .crio ? "CRI-O" : "containerd" }
}

/// Where such a runtime keeps its pods; each field is nil for the runtime's default.
public struct ForeignFolders: Sendable {
    /// containerd's `state`, or the `runroot` of CRI-O's storage.
    public var state: String?
    /// containerd's or the storage's `root`.
    public var root: String?
    /// The OCI runtime's root.
    public var runtimeRoot: String?
    /// containerd's namespace.
    public var namespace: String?

    public init(state: String? = nil, root: String? = nil, runtimeRoot: String? = nil, namespace: String? = nil) {
        self.state = state
        self.root = root
        self.runtimeRoot = runtimeRoot
        self.namespace = namespace
    }

    func containerd(_ files: NodeFiles = NodeFiles()) -> ContainerdLayout {
        var layout = ContainerdLayout(files)
        layout.state = state ?? layout.state
        layout.root = root ?? layout.root
        layout.namespace = namespace ?? layout.namespace
        layout.runtimeRoot = runtimeRoot
        return layout
    }

    func crio(_ files: NodeFiles = NodeFiles()) -> CRIOLayout {
        var layout = CRIOLayout(files)
        layout.state = state ?? layout.state
        layout.root = root ?? layout.root
        return layout
    }
}

/// The pods that CRI-O or containerd left on a node, running or not, as documents that can be registered.
///
/// Discovery only reads. It must run as root, because bundles lie in directories of mode 0700.
public struct Discovery: Sendable {
    /// One document for each pod, ordered by id.
    public private(set) var documents: [RegistrationDocument] = []
    /// What could not be read or is not a complete pod, in words.
    public private(set) var problems: [String] = []
    /// The pods that the documents describe.
    let pods: [ForeignPod]
    /// The ids of what has ended, of which only the runtime's database says more.
    private(set) var ended: [ForeignRuntime: [String]] = [:]
    let files: NodeFiles
    /// Where cgroup hierarchies are mounted.
    let hierarchies: [String]
    /// The node's own shims and conmons.
    let monitors: [ContainerMonitor]
    public let runtimes: [ForeignRuntime]
    let folders: ForeignFolders
    /// What running runtimes list through CRI.
    let listings: [CRIListing]

    /// Discovers the pods of these runtimes.
    ///
    /// - Parameters:
    ///   - folders: Folders of the one runtime in `runtimes`; they must be empty if there are several runtimes.
    ///   - list: Asks a runtime what it lists at the socket of its CRI; nil if none is asked. Only this finds a pod of
    ///     which nothing is left but the runtime's own record.
    public init(
        of runtimes: [ForeignRuntime] = ForeignRuntime.allCases, folders: ForeignFolders = ForeignFolders(),
        files: NodeFiles = NodeFiles(), asking list: ((_ socket: String) -> CRIListing)? = nil
    ) throws(RemovalError) {
        let monitors: [ContainerMonitor]
        do throws(ObservationError) { monitors = try ContainerMonitor.all().filter(\.isOfNode) } catch {
            throw .observation(error)
        }
        try self.init(of: runtimes, folders: folders, files: files, monitors: monitors, asking: list)
    }

    init(
        of runtimes: [ForeignRuntime], folders: ForeignFolders = ForeignFolders(), files: NodeFiles,
        monitors: [ContainerMonitor], asking list: ((_ socket: String) -> CRIListing)? = nil
    ) throws(RemovalError) {
        self.files = files
        do throws(ObservationError) { hierarchies = try files.cgroupHierarchies() } catch { throw .observation(error) }
        self.monitors = monitors
        self.runtimes = runtimes
        self.folders = folders
        var pods: [ForeignPod] = []
        var listings: [CRIListing] = []
        for runtime in runtimes {
            let node: ObservedNode
            do throws(ObservationError) { node = try Self.observe(runtime, folders, files, monitors) } catch {
                throw .observation(error)
            }
            pods += node.pods.map { ForeignPod(runtime: runtime, pod: $0) }
            problems += node.problems
            ended[runtime] = node.ended
            guard let list else { continue }
            for listing in try runtime.sockets().map(list) {
                listings.append(listing)
                for pod in listing.pods where !pods.contains(where: { $0.pod.id == pod.id }) {
                    pods.append(ForeignPod(runtime: runtime, pod: try Self.observed(pod, of: runtime, folders)))
                }
            }
        }
        self.listings = listings
        pods = Self.withAttempts(pods)
        var programs = RuntimePrograms(monitors, files)
        programs.name(&pods)
        problems += programs.problems
        self.pods = pods
        for pod in self.pods {
            do throws(DocumentError) {
                documents.append(try pod.document(files, monitors))
            } catch {
                problems.append("the pod \(pod.pod.id) cannot be registered: \(error)")
            }
        }
    }

    private static func observe(
        _ runtime: ForeignRuntime, _ folders: ForeignFolders, _ files: NodeFiles, _ monitors: [ContainerMonitor]
    ) throws(ObservationError) -> ObservedNode {
        switch runtime {
        case .containerd: return try folders.containerd(files).observe()
        case .crio:
            var layout = folders.crio(files)
            let named = Set(monitors.compactMap(\.runtimeRoot)).subtracting(layout.runtimeRoots).sorted()
            layout.runtimeRoots = folders.runtimeRoot.map { [$0] } ?? layout.runtimeRoots + named
            return try layout.observe()
        }
    }

    /// A pod that is known only from the runtime's own record.
    private static func observed(
        _ pod: CRIPod, of runtime: ForeignRuntime, _ folders: ForeignFolders
    ) throws(RemovalError) -> ObservedPod {
        let folder =
            switch runtime {
            case .containerd: "\(folders.containerd().state)/io.containerd.grpc.v1.cri/sandboxes"
            case .crio: "\(folders.crio().state)/overlay-containers"
            }
        return ObservedPod(
            id: pod.id, name: pod.name, namespace: pod.namespace, uid: pod.uid, attempt: pod.attempt,
            directory: ObservedDirectory("\(folder)/\(pod.id)", beneath: folder))
    }

    /// Numbers the attempts of pods and containers with the same name by age, because containerd's bundles do not
    /// record them.
    private static func withAttempts(_ pods: [ForeignPod]) -> [ForeignPod] {
        var pods = pods
        var next: [[String]: UInt32] = [:]
        for index in pods.indices.sorted(by: { pods[$0].age < pods[$1].age }) {
            let pod = pods[index].pod
            let name = [pod.name, pod.namespace, pod.uid]
            let attempt = pod.attempt ?? next[name, default: 0]
            pods[index].pod.attempt = attempt
            next[name] = max(next[name, default: 0], attempt &+ 1)
            var nextOfContainer: [String: UInt32] = [:]
            // The containers are already ordered by age.
            for number in pod.containers.indices where !pod.containers[number].isInfra {
                let name = pod.containers[number].name
                let attempt = pod.containers[number].attempt ?? nextOfContainer[name, default: 0]
                pods[index].pod.containers[number].attempt = attempt
                nextOfContainer[name] = max(nextOfContainer[name, default: 0], attempt &+ 1)
            }
        }
        return pods
    }
}

extension Discovery {
    /// The current records of the one pod that matches, with processes and the boot; nil if no pod matches.
    ///
    /// - Parameter pod: A sandbox's id or the beginning of one, a pod's name, or `NAMESPACE/NAME`.
    public func records(of pod: String) throws(RemovalError) -> (sandbox: Sandbox, containers: [Container])? {
        let exact = documents.filter { $0.sandbox.id == pod }
        let found = exact.isEmpty ? documents.filter { Self.matches($0.sandbox, pod) } : exact
        guard found.count <= 1 else {
            throw .registry(.ambiguous(prefix: pod, candidates: found.map(\.sandbox.id)))
        }
        guard let document = found.first else { return nil }
        var sandbox = document.sandbox
        var containers = document.containers
        do throws(ObservationError) { sandbox.bootID = try Boot.id() } catch { throw .observation(error) }
        let seen = pods.first { $0.pod.id == sandbox.id }?.pod.containers ?? []
        for index in containers.indices {
            guard let live = seen.first(where: { $0.id == containers[index].id }), let pid = live.pid else { continue }
            containers[index].process = ProcessReference(pid: pid, startTime: live.startTime)
        }
        return (sandbox, containers)
    }

    /// What removing that pod would take if it were registered; nil if there is no such pod.
    public func plan(of pod: String) throws(RemovalError) -> RemovalPlan? {
        guard let (sandbox, containers) = try records(of: pod) else { return nil }
        do throws(ObservationError) {
            return RemovalPlan.remove(
                sandbox, containers, try .observe(sandbox, ContainerRecords(containers: containers)))
        } catch {
            throw .observation(error)
        }
    }

    /// The pods in words, ordered by name.
    public var summaries: [String] {
        pods.map { "\($0.pod.namespace)/\($0.pod.name) (\($0.runtime.title)'s \($0.pod.id))" }.sorted()
    }

    /// The folders in which pods were looked for, in words.
    public var placesLookedAt: [String] {
        runtimes.map { runtime in
            let (state, root) =
                switch runtime {
                case .containerd: (folders.containerd().state, folders.containerd().root)
                case .crio: (folders.crio().state, folders.crio().root)
                }
            return "\(runtime.title) in \(state) and \(root)"
        }
    }

    private static func matches(_ sandbox: Sandbox, _ pod: String) -> Bool {
        let name = sandbox.metadata
        return !pod.isEmpty
            && (sandbox.id.hasPrefix(pod) || name.name == pod || "\(name.namespace)/\(name.name)" == pod)
    }
}
