/// A pod as a container runtime's remains describe it. What they do not say is nil or empty.
public struct ObservedPod: Sendable, Equatable {
    public var id: String
    public var name: String
    public var namespace: String
    public var uid: String
    public var attempt: UInt32?
    public var directory: ObservedDirectory
    /// `/dev/shm` where the pod uses the node's.
    public var shm: String?
    /// Pinned namespaces by their types in an OCI bundle (`network`, `ipc`, `uts`, `user`, …).
    public var pins: [String: String]
    public var processLabel = ""
    public var mountLabel = ""
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
    /// RFC 3339.
    public var created: String?
    /// The infra container first, where there is one.
    public var containers: [ObservedContainer]
}

/// A container of such a pod.
public struct ObservedContainer: Sendable, Equatable {
    public var id: String
    public var isInfra: Bool
    public var name: String
    public var attempt: UInt32?
    public var created: String?
    public var image = ""
    public var runtime: ObservedRuntime
    /// Those that are there.
    public var directories: [ObservedDirectory]
    public var stopSignal: String?
    /// The init and its start time in clock ticks after boot, where it lives.
    public var pid: Int32?
    public var startTime: UInt64 = 0
    /// Its own cgroups that are there.
    public var cgroups: [String] = []
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
}

/// The OCI runtime that made a container.
public struct ObservedRuntime: Sendable, Equatable, Hashable {
    /// The program's name, such as `runc`.
    public var name: String
    /// Its absolute path; nil: to be searched for.
    public var path: String?
    /// Where it keeps its containers' state.
    public var root: String
    /// Whether the bundle has poststop hooks, which a delete would run.
    public var hooks: Bool

    public init(name: String, path: String? = nil, root: String, hooks: Bool = false) {
        self.name = name
        self.path = path
        self.root = root
        self.hooks = hooks
    }
}

/// A directory that goes with a pod, and the one beneath which the runtime keeps those of all its pods.
public struct ObservedDirectory: Sendable, Equatable, Hashable {
    public var path: String
    public var root: String

    public init(_ path: String, beneath root: String) {
        self.path = path
        self.root = root
    }

    /// How many components the path has beneath the root.
    public var depth: Int { path.dropFirst(root.count).split(separator: "/").count }
}

/// All that was found of one container runtime on a node.
public struct ObservedNode: Sendable {
    public var pods: [ObservedPod] = []
    /// Directories and files that look like a pod's and say too little to be one's, and what could not be read.
    public var problems: [String] = []
}
