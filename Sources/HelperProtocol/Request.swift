/// Whether a request only looks or acts, and, if it acts, the only object that it may act on.
public enum Intent<Identity: Sendable & Equatable>: Sendable, Equatable {
    /// Do everything but the last system call; the reply carries facts.
    case look
    /// Act. With an identity, act only if the object at the place still has it; otherwise the outcome is
    /// `refused(identityMismatch)`.
    case act(only: Identity?)
}

/// A mount's id: unique since boot if the kernel provides such ids (`STATX_MNT_ID_UNIQUE`, Linux 6.8), otherwise an id
/// that may be used again.
public struct MountIdentity: Sendable, Equatable {
    public var id: UInt64
    public var unique: Bool
    public init(id: UInt64, unique: Bool) {
        self.id = id
        self.unique = unique
    }
}

/// The identity of a file, directory or namespace: device, inode, and birth in nanoseconds since 1970 (0 if the
/// filesystem keeps none), because inode numbers are used again. From version 2 on, a namespace has in place of its
/// birth its time of modification, which is when it was first looked at; 0 matches any.
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
    /// Report the identity, and a page of the children's names starting at `cursor` (0: from the beginning).
    case look(cursor: UInt64)
    case act(only: NodeIdentity?, Slice)
}

/// How much of a directory one request removes.
public struct Slice: Sendable, Equatable {
    /// The number of entries after which the answer is `inProgress`, 1 to `Limits.sliceEntries`.
    public var entries: UInt32
    /// This request's share of the directory's own children, `index` of `count`, with which several helpers work on one
    /// tree at the same time. Only a request with a count of 1 removes the directory itself.
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
    /// Beneath a cgroup root. The cgroup must be the container's, or its root must allow killing.
    public var place: Place
    /// The identity of its directory; `identityMismatch` if another cgroup is at the place.
    public var identity: NodeIdentity
    /// Whether no process of another container is in this cgroup or beneath it. If so, all cgroups beneath are
    /// included; otherwise only the processes directly in this cgroup.
    public var isExclusive: Bool
    public init(place: Place, identity: NodeIdentity, isExclusive: Bool) {
        self.place = place
        self.identity = identity
        self.isExclusive = isExclusive
    }
}

/// A process, identified so that it is not mistaken for a later one with the same pid.
public struct ProcessIdentity: Sendable, Equatable {
    /// 1 to `Int32.max`.
    public var pid: UInt32
    /// In clock ticks after boot, as `/proc/PID/stat` shows it (proc_pid_stat(5)).
    public var startTime: UInt64
    public init(pid: UInt32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }
}

/// Processes of a cgroup that are to be signalled, and no others (version 2).
public struct ProcessTargets: Sendable, Equatable {
    /// As in `CgroupTarget`. The processes must be in this cgroup or beneath it.
    public var place: Place
    public var identity: NodeIdentity
    /// 1 to `Limits.cgroupProcesses`.
    public var processes: [ProcessIdentity]
    public init(place: Place, identity: NodeIdentity, processes: [ProcessIdentity]) {
        self.place = place
        self.identity = identity
        self.processes = processes
    }
}

/// The requests that the orchestrator may send. `PROTOCOL.md` describes the bytes and the promises of each.
public enum Request: Sendable, Equatable {
    case hello(VersionRange)
    case unmount(Place, Intent<MountIdentity>)
    /// Detaches the mounts beneath a directory, however deep, but none at the directory itself: at most `most` mounts,
    /// 1 to `Limits.sliceEntries` (version 2).
    case unmountBeneath(Place, only: NodeIdentity?, most: UInt32)
    case deleteNamespace(Place, Intent<NodeIdentity>)
    case removeDirectory(Place, DirectoryIntent)
    case runtimeState(RuntimeTarget)
    /// Sends a signal, 1 to 64, to the container's init process, or to all its processes.
    case runtimeKill(RuntimeTarget, Intent<NodeIdentity>, signal: UInt8, all: Bool)
    /// Sends a signal to the processes in 1 to `Limits.cgroupTargets` cgroups of the container, without the runtime
    /// (version 2).
    case runtimeKillCgroups(RuntimeTarget, Intent<NodeIdentity>, signal: UInt8, [CgroupTarget])
    /// Sends a signal to processes in a cgroup that the container shares with others, without the runtime (version 2).
    case runtimeKillProcesses(RuntimeTarget, Intent<NodeIdentity>, signal: UInt8, ProcessTargets)
    case runtimeDelete(RuntimeTarget, Intent<NodeIdentity>)
    /// Removes the container's state directory without the runtime, if the runtime is gone or cannot read the state.
    /// Refused while the process that the state names lives (version 2).
    case runtimeForget(RuntimeTarget, only: NodeIdentity)
    case runtimeList(runtime: UInt8)

    public var kind: Kind {
        switch self {
        case .hello: .hello
        case .unmount, .unmountBeneath: .unmount
        case .deleteNamespace: .deleteNamespace
        case .removeDirectory: .removeDirectory
        case .runtimeState: .runtimeState
        case .runtimeKill, .runtimeKillCgroups, .runtimeKillProcesses: .runtimeKill
        case .runtimeDelete, .runtimeForget: .runtimeDelete
        case .runtimeList: .runtimeList
        }
    }
}

/// The protocol versions that one side can speak, both bounds included.
public struct VersionRange: Sendable, Equatable {
    public var minimum: UInt16
    public var maximum: UInt16
    public init(minimum: UInt16, maximum: UInt16) {
        self.minimum = minimum
        self.maximum = maximum
    }
    /// The versions that this module speaks.
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
