/// Whether a request only looks, or acts; and then, on which one alone.
public enum Intent<Identity: Sendable & Equatable>: Sendable, Equatable {
    /// Everything but the last system call; the reply carries facts.
    case look
    /// Act. With an identity: only if what is there now is still that, else `refused(identityMismatch)`.
    case act(only: Identity?)
}

/// A mount's id: unique since boot where the kernel gives such ids (`STATX_MNT_ID_UNIQUE`, Linux 6.8), else
/// one that may be used again.
public struct MountIdentity: Sendable, Equatable {
    public var id: UInt64
    public var unique: Bool
    public init(id: UInt64, unique: Bool) {
        self.id = id
        self.unique = unique
    }
}

/// A file's, directory's or namespace's identity: device, inode, and birth in nanoseconds since 1970
/// (0 where the filesystem keeps none), because inode numbers are used again. In place of a namespace's birth stands, from
/// version 2 on, its time of modification, which is when it was first looked at; 0 matches any.
public struct NodeIdentity: Sendable, Equatable, Hashable {
    public var device: UInt64
    public var inode: UInt64
    public var birth: UInt64
    public init(device: UInt64, inode: UInt64, birth: UInt64) {
        self.device = device
        self.inode = inode
        self.birth = birth
    }
}

/// What a directory request is for.
public enum DirectoryIntent: Sendable, Equatable {
    /// Identity, and a page of the children's names from `cursor` on (0: from the beginning).
    case look(cursor: UInt64)
    case act(only: NodeIdentity?, Slice)
}

/// How much of a directory one request removes.
public struct Slice: Sendable, Equatable {
    /// Entries after which the answer is `inProgress`, 1 to `Limits.sliceEntries`.
    public var entries: UInt32
    /// This request's share of the directory's own children, `index` of `count`: helpers work on one tree side by
    /// side. Only a request with a count of 1 removes the directory itself.
    public var index: UInt8
    public var count: UInt8
    public init(entries: UInt32, index: UInt8 = 0, count: UInt8 = 1) {
        self.entries = entries
        self.index = index
        self.count = count
    }
}

/// A container of a configured runtime.
public struct RuntimeTarget: Sendable, Equatable {
    /// The runtime's index in `Welcome.runtimes`.
    public var runtime: UInt8
    public var id: ContainerID
    public init(runtime: UInt8, id: ContainerID) {
        self.runtime = runtime
        self.id = id
    }
}

/// A cgroup whose processes are to be signalled (version 2).
public struct CgroupTarget: Sendable, Equatable {
    /// Beneath a cgroup root that may kill.
    public var place: Place
    /// Its directory's; `identityMismatch` where another cgroup has the place.
    public var identity: NodeIdentity
    /// Whether no other container's process is in it or beneath it. Then all beneath it is meant too; else only what is directly
    /// in it.
    public var isExclusive: Bool
    public init(place: Place, identity: NodeIdentity, isExclusive: Bool) {
        self.place = place
        self.identity = identity
        self.isExclusive = isExclusive
    }
}

/// What the orchestrator may ask for. See `PROTOCOL.md` for each one's bytes and promises.
public enum Request: Sendable, Equatable {
    case hello(VersionRange)
    case unmount(Place, Intent<MountIdentity>)
    /// Detaches what is mounted beneath a directory, however deep, and nothing at it: at most `most` mounts, 1 to
    /// `Limits.sliceEntries` (version 2).
    case unmountBeneath(Place, only: NodeIdentity?, most: UInt32)
    case deleteNamespace(Place, Intent<NodeIdentity>)
    case removeDirectory(Place, DirectoryIntent)
    case runtimeState(RuntimeTarget)
    /// Sends a signal, 1 to 64, to the container's init, or to all its processes.
    case runtimeKill(RuntimeTarget, Intent<NodeIdentity>, signal: UInt8, all: Bool)
    /// Sends it to what lives in cgroups of the container, 1 to `Limits.cgroupTargets`, without the runtime (version 2).
    case runtimeKillCgroups(RuntimeTarget, Intent<NodeIdentity>, signal: UInt8, [CgroupTarget])
    case runtimeDelete(RuntimeTarget, Intent<NodeIdentity>)
    /// Removes the container's state directory without the runtime, which cannot read it, or is gone. Refused while the
    /// process that the state names lives (version 2).
    case runtimeForget(RuntimeTarget, only: NodeIdentity)
    case runtimeList(runtime: UInt8)

    public var kind: Kind {
        switch self {
        case .hello: .hello
        case .unmount, .unmountBeneath: .unmount
        case .deleteNamespace: .deleteNamespace
        case .removeDirectory: .removeDirectory
        case .runtimeState: .runtimeState
        case .runtimeKill, .runtimeKillCgroups: .runtimeKill
        case .runtimeDelete, .runtimeForget: .runtimeDelete
        case .runtimeList: .runtimeList
        }
    }
}

/// Protocol versions that a side can speak, both ends included.
public struct VersionRange: Sendable, Equatable {
    public var minimum: UInt16
    public var maximum: UInt16
    public init(minimum: UInt16, maximum: UInt16) {
        self.minimum = minimum
        self.maximum = maximum
    }
    /// What this module speaks.
    public static var spoken: VersionRange { VersionRange(minimum: Limits.oldestVersion, maximum: Limits.version) }
}

/// A request with its id and deadline: one packet from orchestrator to helper.
public struct RequestPacket: Sendable, Equatable {
    /// The orchestrator's number for this request, never 0; the reply repeats it.
    public var id: UInt64
    /// Milliseconds from receipt after which the answer is `timedOut`, 1 to `Limits.deadlineMilliseconds`.
    public var deadline: UInt32
    public var request: Request
    public init(id: UInt64, deadline: UInt32, request: Request) {
        self.id = id
        self.deadline = deadline
        self.request = request
    }
}
