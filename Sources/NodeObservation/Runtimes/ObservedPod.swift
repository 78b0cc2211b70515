/// A pod as described by what a container runtime has left on the node. What is unknown is nil or empty.
public struct ObservedPod: Sendable, Equatable {
    public var id: String
    public var name: String
    public var namespace: String
    public var uid: String
    public var attempt: UInt32?
    public var directory: ObservedDirectory
    /// `/dev/shm` if the pod uses the node's.
    public var shm: String?
    /// Pinned namespaces by their types in an OCI bundle (`network`, `ipc`, `uts`, `user`, …).
    public var pins: [String: String]
    public var processLabel = ""
    public var mountLabel = ""
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
    /// The pod's own cgroups that exist, in every hierarchy; a container's are not among them.
    public var cgroups: [String] = []
    /// RFC 3339.
    public var created: String?
    /// The infra container comes first, if there is one.
    public var containers: [ObservedContainer]
}

/// A container of an observed pod.
public struct ObservedContainer: Sendable, Equatable {
    public var id: String
    public var isInfra: Bool
    public var name: String
    public var attempt: UInt32?
    public var created: String?
    public var image = ""
    public var runtime: ObservedRuntime
    /// The container's directories that exist.
    public var directories: [ObservedDirectory]
    public var stopSignal: String?
    /// The init process and its start time in clock ticks after boot, if it is alive.
    public var pid: Int32?
    public var startTime: UInt64 = 0
    /// The container's own cgroups that exist.
    public var cgroups: [String] = []
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
    /// Whether the OCI runtime has a state of it that can be read.
    public var isKnownToRuntime = true
    /// If the runtime has no such state: the cgroups that the bundle asked for and that exist. They may never have been
    /// its own.
    public var wantedCgroups: [String] = []
    /// Where its root filesystem is mounted on the node; empty if unknown.
    public var rootfs = ""
}

/// The OCI runtime that made a container.
public struct ObservedRuntime: Sendable, Equatable, Hashable {
    /// The program's name, such as `runc`.
    public var name: String
    /// The program's absolute path; nil if it is not known.
    public var path: String?
    /// The directory in which the runtime keeps its containers' state.
    public var root: String
    /// Whether the container's state, or its shim's options, say what the root is.
    public var isRootKnown = true
    /// Whether the bundle has poststop hooks, which deleting the container would run.
    public var hooks: Bool

    public init(name: String, path: String? = nil, root: String, hooks: Bool = false) {
        self.name = name
        self.path = path
        self.root = root
        self.hooks = hooks
    }
}

/// A directory that is removed with a pod, and the directory beneath which the runtime keeps those of all its pods.
public struct ObservedDirectory: Sendable, Equatable, Hashable {
    public var path: String
    public var root: String

    public init(_ path: String, beneath root: String) {
        self.path = path
        self.root = root
    }

    /// The number of components that the path has beneath the root.
    public var depth: Int { path.dropFirst(root.count).split(separator: "/").count }
}

/// Everything that was found of one container runtime on a node.
public struct ObservedNode: Sendable {
    public var pods: [ObservedPod] = []
    /// The ids of pods and containers that have ended, of which only the runtime's own database says more.
    public var ended: [String] = []
    /// Directories and files that look like a pod's but say too little to be assigned to one, and what could not be
    /// read.
    public var problems: [String] = []
}

extension ObservedPod {
    /// A pod without containers, of which nothing is known but its names and its directory.
    public init(
        id: String, name: String, namespace: String, uid: String, attempt: UInt32, directory: ObservedDirectory
    ) {
        self.init(
            id: id, name: name, namespace: namespace, uid: uid, attempt: attempt, directory: directory, pins: [:],
            containers: [])
    }
}
