/// The outcome of a request. It can be thrown: an operation that cannot continue throws its outcome.
public enum Outcome: Error, Sendable, Equatable {
    /// An act was carried out, or a look found what its facts say.
    case done
    /// There was nothing to do. This was observed, not inferred from an error number.
    case alreadyDone
    /// The request's limit of work or time was reached; ask again.
    case inProgress
    /// The policy or a safety rule forbids the request. `detail` says where, as a path beneath the place.
    case refused(Rule, detail: [UInt8])
    /// The packet was not a valid message. The helper ends after this answer.
    case malformed(Malformed)
    /// The kernel or the runtime reported an error.
    case failed(Failure)
    /// The deadline passed; a runtime's process group was killed.
    case timedOut
    /// There is no common protocol version; the helper speaks these versions.
    case unsupported(VersionRange)
}

/// Which call failed, and with which error.
public struct Failure: Sendable, Equatable {
    /// The error number (errno(3)); 0 if a runtime ended with a non-zero exit status, or if its postcondition does not
    /// hold.
    public var errno: UInt32
    public var call: Call
    /// Where it failed, as a path beneath the place; empty if it is the place itself.
    public var detail: [UInt8]
    public init(errno: UInt32, call: Call, detail: [UInt8] = []) {
        self.errno = errno
        self.call = call
        self.detail = detail
    }
}

/// The system calls that a failure can name, and the runtime.
public enum Call: UInt16, Sendable, CaseIterable {
    case open = 1
    case openat2 = 2
    case statx = 3
    case umount = 4
    case unlink = 5
    case rmdir = 6
    case getdents = 7
    case fstatfs = 8
    case namespaceType = 9
    case fchdir = 10
    case fork = 11
    case exec = 12
    case memfd = 13
    case wait = 14
    case capset = 15
    case runtime = 16
    case setrlimit = 17
    case read = 18
    case socket = 19
    case signal = 20
    case write = 21
}

/// Why a request or a start was refused. A number is never given a new meaning.
public enum Rule: UInt16, Sendable, CaseIterable {
    case unknownRoot = 1
    case wrongRootKind = 2
    case wrongDepth = 3
    /// The root's `names` do not match the namespace's name.
    case nameNotAllowed = 4
    /// A mount lies at or beneath the directory to be removed; `detail` says where. Its data is untouched.
    case mountBeneath = 5
    /// The path to the place leads through a symbolic link, through a mount, or out of the root.
    case leavesRoot = 6
    case identityMismatch = 7
    /// The object at the place is neither a namespace's pin nor an empty left-over file.
    case notNamespace = 8
    case wrongNamespaceKind = 9
    case notDirectory = 10
    /// An entry is immutable or append-only (chattr(1)); everything else was removed.
    case immutableEntry = 11
    case unknownRuntime = 12
    /// A capability that the operation needs is missing; `Welcome.missing` lists them.
    case missingCapability = 13
    /// The bundle has hooks, and the policy does not allow the runtime any.
    case hooksNotAllowed = 14
    /// More mounts are stacked than one request detaches; ask again.
    case tooManyMounts = 15
    /// The kernel lacks openat2(2) or does not report mount roots, so no place can be reached safely; or it lacks
    /// mount_setattr(2), so nothing can be detached safely.
    case kernelTooOld = 16
    /// The object at the place is not a cgroup (version 2).
    case notCgroup = 17
    /// Neither the container's state nor the cgroup's name shows that the cgroup is the container's, and the policy
    /// does not let processes beneath that root be signalled (version 2).
    case cgroupNotContainers = 18
    /// The process that the container's state names is alive (version 2).
    case containerLives = 19
    /// Another living container of the runtime also has the cgroup, or one above or beneath it (version 2).
    case cgroupShared = 20

    // Reasons not to start, sent as the answer to Hello. `detail` names the file, line or value.
    case policyUnreadable = 100
    case policyMalformed = 101
    case policyReplaceable = 102
    case rootReplaceable = 103
    case runtimeReplaceable = 104
    case peerNotCaller = 105
    case startedByOther = 106
    case limitsTooLow = 107
    case confinementFailed = 108
}

/// The helper's answer: one packet.
public struct Reply: Sendable, Equatable {
    public var kind: Kind
    public var requestID: UInt64
    public var outcome: Outcome
    public var facts: Facts
    public init(kind: Kind, requestID: UInt64, outcome: Outcome, facts: Facts = .none) {
        self.kind = kind
        self.requestID = requestID
        self.outcome = outcome
        self.facts = facts
    }
}

/// What the helper saw or counted. Which facts a reply carries depends on its kind; see `PROTOCOL.md`.
public enum Facts: Sendable, Equatable {
    case none
    case welcome(Welcome)
    /// The topmost mount at the place.
    case mount(MountIdentity)
    /// The namespace pinned at the place, or the left-over file itself if `mounted` is false.
    case namespace(NodeIdentity, mounted: Bool)
    case directory(DirectoryFacts)
    /// Entries removed, mounts detached, or processes signalled by this request.
    case count(UInt64)
    case runtime(RuntimeFacts)
    /// The topmost mount at the place, and the directory or file that the mounts there cover (version 2). Its birth is
    /// unknown, so 0; all fields are 0 if the filesystem does not list it.
    case mountPoint(MountIdentity, covers: NodeIdentity)
    /// What a runtime's state says about a container (version 2).
    case container(ContainerFacts)
}

/// A directory's identity and a page of its children.
public struct DirectoryFacts: Sendable, Equatable {
    /// The most bytes that the names of a page may take, so that the packet stays within `Limits.replyBytes`.
    public static var pageBytes: Int { 8192 }

    public var identity: NodeIdentity
    /// The children's names, with their types (`DT_*` of readdir(3)).
    public var children: [Child]
    /// The cursor of the next page; 0 after the last page.
    public var next: UInt64

    public struct Child: Sendable, Equatable {
        public var type: UInt8
        public var name: [UInt8]
        public init(type: UInt8, name: [UInt8]) {
            self.type = type
            self.name = name
        }
    }

    public init(identity: NodeIdentity, children: [Child], next: UInt64) {
        self.identity = identity
        self.children = children
        self.next = next
    }
}

/// A container as its runtime's state describes it, read without the runtime.
public struct ContainerFacts: Sendable, Equatable {
    /// The container's directory beneath the runtime's state root.
    public var directory: NodeIdentity
    public var state: State
    /// The container's init process; 0 if none is named.
    public var pid: UInt32 = 0
    /// When the process started, in clock ticks after boot (proc_pid_stat(5)); 0 if there is no pid.
    public var startTime: UInt64 = 0
    /// At most `Limits.containerCgroups`.
    public var cgroups: [Cgroup] = []
    /// For crun: the systemd scope, if there is one.
    public var scope: [UInt8] = []
    /// The absolute path of the bundle; empty if the state names none, or one longer than `Limits.bundleBytes`.
    public var bundle: [UInt8] = []

    /// The runtime whose format the state has.
    public enum State: UInt8, Sendable, CaseIterable {
        /// The directory has no state file.
        case absent = 0
        /// The state file is empty, cut off, larger than 4 MiB, names more than fits, or has another format.
        case notUnderstood = 1
        /// `state.json` of libcontainer.
        case runc = 2
        /// `status` of crun.
        case crun = 3
    }

    /// A cgroup that the state names.
    public struct Cgroup: Sendable, Equatable {
        /// For runc: the controller, or the hierarchy's name, of cgroup version 1; empty for version 2. Empty for crun.
        public var controller: [UInt8]
        /// For runc: the absolute path. For crun: the path beneath each hierarchy's root.
        public var path: [UInt8]
        public init(controller: [UInt8], path: [UInt8]) {
            self.controller = controller
            self.path = path
        }
    }

    public init(directory: NodeIdentity, state: State) {
        self.directory = directory
        self.state = state
    }
}

/// The result of a runtime call.
public struct RuntimeFacts: Sendable, Equatable {
    /// The exit status, or the negative number of the signal that ended the runtime.
    public var status: Int32
    /// The container's state directory, examined after the call; nil if it is gone.
    public var stateDirectory: NodeIdentity?
    /// The end of the runtime's standard error, at most `Limits.errorOutputBytes`.
    public var errorOutput: [UInt8]
    public var output: Output

    public enum Output: Sendable, Equatable {
        case inline([UInt8])
        /// This many bytes are in the sealed memfd that came with the packet.
        case memfd(bytes: UInt32)
    }

    public init(status: Int32, stateDirectory: NodeIdentity?, errorOutput: [UInt8], output: Output) {
        self.status = status
        self.stateDirectory = stateDirectory
        self.errorOutput = errorOutput
        self.output = output
    }
}
