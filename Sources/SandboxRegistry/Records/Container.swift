public import FoundationEssentials

/// A process, identified so that it is not mistaken for a later one with the same pid.
public struct ProcessReference: Codable, Sendable, Equatable {
    public var pid: Int32
    /// Field 22 of `/proc/PID/stat` (proc(5)), in clock ticks since the boot named by the sandbox's `bootID`; 0 if
    /// nobody has looked yet, and then the pid alone proves nothing.
    public var startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }
}

/// Tells a container's process, cgroups and runtime state from later ones with the same names. These identities are in
/// the kernel's memory, so they are valid only in the boot that the sandbox's `bootID` names.
public struct ContainerIdentity: Codable, Sendable, Equatable {
    /// The directory in which the runtime keeps the container's state; nil if there was none when it was recorded.
    public var stateDirectory: FileIdentity?
    /// The inode of the init process's pidfd (pidfd_open(2), Linux 6.9), which no other process has before the next
    /// boot.
    public var processInode: UInt64?
    /// Device and inode of each recorded cgroup, by its path. The kernel does not reuse a cgroup's inode.
    public var cgroups: [String: FileIdentity]

    public init(
        stateDirectory: FileIdentity? = nil, processInode: UInt64? = nil, cgroups: [String: FileIdentity] = [:]
    ) {
        self.stateDirectory = stateDirectory
        self.processInode = processInode
        self.cgroups = cgroups
    }
}

/// A container of a sandbox: a workload, or the infra container that holds the pod's namespaces.
public struct Container: Codable, Sendable, Equatable {
    /// A directory that is removed with its container.
    public struct Directory: Codable, Sendable, Equatable {
        public var path: String
        /// The identity of the directory itself, even if something was mounted over it when it was recorded; nil if
        /// there was none.
        public var identity: FileIdentity?
        /// The unique id of the mount that covered the directory then (STATX_MNT_ID_UNIQUE of statx(2), Linux 6.8).
        public var mountID: UInt64?

        public init(path: String, identity: FileIdentity? = nil, mountID: UInt64? = nil) {
            self.path = path
            self.identity = identity
            self.mountID = mountID
        }
    }

    public var id: String
    public var sandboxID: String
    public var isInfra: Bool
    /// The name and attempt of CRI's `ContainerMetadata`.
    public var name: String
    public var attempt: UInt32
    /// In whole microseconds, which is the registry's precision.
    public var createdAt: Date
    /// The OCI runtime's name in the helper's policy.
    public var runtime: String
    /// For people to read; may be empty.
    public var image: String
    public var directories: [Directory]
    /// 1 to 64 (signal(7)).
    public var stopSignal: UInt8
    /// The container's init process, if it is known.
    public var process: ProcessReference?
    /// The container's cgroups as absolute directories, one for each hierarchy; empty if unknown.
    public var cgroups: [String]
    /// Tells the container's process, cgroups and runtime state from later ones with the same names.
    public var identity: ContainerIdentity
    public var labels: [String: String]
    public var annotations: [String: String]

    public init(
        id: String, sandboxID: String, isInfra: Bool = false, name: String, attempt: UInt32 = 0, createdAt: Date,
        runtime: String, image: String = "", directories: [Directory] = [], stopSignal: UInt8 = Signal.terminate,
        process: ProcessReference? = nil, cgroups: [String] = [], identity: ContainerIdentity = ContainerIdentity(),
        labels: [String: String] = [:], annotations: [String: String] = [:]
    ) {
        self.id = id
        self.sandboxID = sandboxID
        self.isInfra = isInfra
        self.name = name
        self.attempt = attempt
        self.createdAt = createdAt.inMicroseconds
        self.runtime = runtime
        self.image = image
        self.directories = directories
        self.stopSignal = stopSignal
        self.process = process
        self.cgroups = cgroups
        self.identity = identity
        self.labels = labels
        self.annotations = annotations
    }

    /// The name that the container reserves, in the kubelet's form. The infra container's name derives from the pod
    /// alone, because a pod has only one, and is released with the sandbox; a workload's name is released with the
    /// container.
    public func reservedName(in pod: PodMetadata) -> String {
        isInfra
            ? "\(Container.infraName)_\(pod.reservedName)"
            : [name, pod.name, pod.namespace, pod.uid].map(PodMetadata.escaped).joined(separator: "_") + "_\(attempt)"
    }

    /// The kubelet's name for every infra container.
    public static let infraName = "POD"
}
