public import FoundationEssentials

/// The state of a sandbox. `removing` is durable and final: no other state can follow it.
public enum SandboxState: String, Codable, Sendable {
    case ready, notReady, removing
}

/// A pod's name as CRI's `PodSandboxMetadata` gives it; unique among the sandboxes that exist.
public struct PodMetadata: Codable, Sendable, Equatable, Hashable {
    public var name: String
    public var namespace: String
    public var uid: String
    public var attempt: UInt32

    public init(name: String, namespace: String, uid: String, attempt: UInt32) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.attempt = attempt
    }

    /// The name that the sandbox reserves until it is forgotten. Different pods have different reserved names: an
    /// underscore within a part is written `%5f`.
    public var reservedName: String { [name, namespace, uid].map(Self.escaped).joined(separator: "_") + "_\(attempt)" }

    /// Escapes a part of a reserved name. Names of Kubernetes contain neither of the two characters, and stay
    /// unchanged.
    static func escaped(_ part: String) -> String {
        part.replacing("%", with: "%25").replacing("_", with: "%5f")
    }

    /// The pod's name and namespace from a reserved name; nil if it is not a pod's reserved name.
    public static func names(reserved: String) -> (name: String, namespace: String)? {
        let parts = reserved.split(separator: "_", omittingEmptySubsequences: false)
            .map { String($0.replacing("%5f", with: "_").replacing("%25", with: "%")) }
        return parts.count == 4 ? (parts[0], parts[1]) : nil
    }
}

/// Tells a file, directory or namespace from a later one at the same path.
public struct FileIdentity: Codable, Sendable, Equatable, Hashable {
    public var device: UInt64
    public var inode: UInt64
    /// Nanoseconds since 1970; 0 if the filesystem keeps no birth time. For a namespace, the mtime of its nsfs file,
    /// because its inode is reused.
    public var birth: UInt64

    public init(device: UInt64, inode: UInt64, birth: UInt64) {
        self.device = device
        self.inode = inode
        self.birth = birth
    }
}

/// The kinds of namespaces that a runtime pins at a path (namespaces(7)).
public enum NamespaceKind: String, Codable, Sendable, CaseIterable {
    case network, ipc, uts, user
}

/// A namespace that a bind mount keeps alive, and whether podreap has already deleted it.
public struct NamespacePin: Codable, Sendable, Equatable {
    public var kind: NamespaceKind
    public var path: String
    /// Whether it was deleted. Its path may belong to another sandbox by now, and is not touched again.
    public var closed: Bool
    public var identity: FileIdentity?

    public init(kind: NamespaceKind, path: String, closed: Bool = false, identity: FileIdentity? = nil) {
        self.kind = kind
        self.path = path
        self.closed = closed
        self.identity = identity
    }
}

/// A cgroup that belongs to a pod itself, and to none of its containers.
public struct PodCgroup: Codable, Sendable, Equatable {
    /// An absolute directory.
    public var path: String
    /// Device and inode, which no other cgroup has before the next boot; nil if nobody has looked yet.
    public var identity: FileIdentity?

    public init(path: String, identity: FileIdentity? = nil) {
        self.path = path
        self.identity = identity
    }
}

/// A pod sandbox and everything that must be gone before its name can be reused.
public struct Sandbox: Codable, Sendable, Equatable {
    public var id: String
    public var metadata: PodMetadata
    /// In whole microseconds, which is the registry's precision.
    public var createdAt: Date
    public var state: SandboxState
    /// The OCI runtime's name in the helper's policy.
    public var runtime: String
    public var directory: String
    /// The identity of the directory itself, even if something was mounted over it when it was recorded; nil if there
    /// was none.
    public var directoryIdentity: FileIdentity?
    /// The unique id of the mount that covered the directory then (STATX_MNT_ID_UNIQUE of statx(2), Linux 6.8).
    public var directoryMountID: UInt64?
    /// The pod's own tmpfs, or `/dev/shm` if it uses the host's; nil if it has none.
    public var shm: String?
    /// The identity of the directory that the shm covers. Its birth time cannot be read beneath a mount, and is 0.
    public var shmIdentity: FileIdentity?
    /// The unique id of the shm's own mount.
    public var shmMountID: UInt64?
    /// The pinned namespaces. A kind that is missing is the host's, or ends with the infra container.
    public var namespaces: [NamespacePin]
    /// The pod's own cgroups, one for each hierarchy, such as CRI-O makes for a pod without an infra container.
    public var cgroups: [PodCgroup]
    /// The shims or conmons that wait for the pod's containers. With runc and crun, one that lives says nothing about
    /// its containers.
    public var monitors: [ProcessReference]
    /// SELinux contexts (`user:role:type:level`), or empty.
    public var processLabel: String
    public var mountLabel: String
    public var labels: [String: String]
    public var annotations: [String: String]
    /// The boot (`/proc/sys/kernel/random/boot_id`) to which the processes and identities belong; nil if unknown.
    public var bootID: String?

    public init(
        id: String, metadata: PodMetadata, createdAt: Date, state: SandboxState = .ready, runtime: String,
        directory: String, directoryIdentity: FileIdentity? = nil, directoryMountID: UInt64? = nil, shm: String? = nil,
        shmIdentity: FileIdentity? = nil, shmMountID: UInt64? = nil, namespaces: [NamespacePin] = [],
        cgroups: [PodCgroup] = [], monitors: [ProcessReference] = [], processLabel: String = "",
        mountLabel: String = "", labels: [String: String] = [:],
        annotations: [String: String] = [:], bootID: String? = nil
    ) {
        self.id = id
        self.metadata = metadata
        self.createdAt = createdAt.inMicroseconds
        self.state = state
        self.runtime = runtime
        self.directory = directory
        self.directoryIdentity = directoryIdentity
        self.directoryMountID = directoryMountID
        self.shm = shm
        self.shmIdentity = shmIdentity
        self.shmMountID = shmMountID
        self.namespaces = namespaces
        self.cgroups = cgroups
        self.monitors = monitors
        self.processLabel = processLabel
        self.mountLabel = mountLabel
        self.labels = labels
        self.annotations = annotations
        self.bootID = bootID
    }

    /// The sandbox's directory with its identity.
    public var ownDirectory: Container.Directory {
        Container.Directory(path: directory, identity: directoryIdentity, mountID: directoryMountID)
    }

    /// Whether `shm` is the host's, which no removal may unmount.
    public var usesHostShm: Bool { shm == Sandbox.hostShm }
    /// The host's shared memory mount (shm_overview(7)).
    public static let hostShm = "/dev/shm"
}
