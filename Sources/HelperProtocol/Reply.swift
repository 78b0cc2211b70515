/// What became of a request. It can be thrown: an operation that cannot go on throws how it ended.
public enum Outcome: Error, Sendable, Equatable {
    /// It is so now: an act was carried out, or a look found what its facts say.
    case done
    /// There was nothing to do, and that was seen, not guessed from an error number.
    case alreadyDone
    /// The slice of a directory removal is used up; ask again.
    case inProgress
    /// The policy or a safety rule forbids it. `detail`: where, as a path beneath the place.
    case refused(Rule, detail: [UInt8])
    /// The packet was no valid message. The helper ends after this answer.
    case malformed(Malformed)
    /// The kernel or the runtime said no.
    case failed(Failure)
    /// The deadline passed; a runtime's process group was killed.
    case timedOut
    /// No common protocol version; the helper speaks these.
    case unsupported(VersionRange)
}

/// Which call failed, and how.
public struct Failure: Sendable, Equatable {
    /// The error number (errno(3)); 0 where a runtime ended with an exit status that was not 0, or its postcondition
    /// does not hold.
    public var errno: UInt32
    public var call: Call
    /// Where, as a path beneath the place; empty where it is the place itself.
    public var detail: [UInt8]
    public init(errno: UInt32, call: Call, detail: [UInt8] = []) {
        self.errno = errno
        self.call = call
        self.detail = detail
    }
}

/// The system calls, and the runtime, that a failure can name.
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

/// Why a request, or a start, was refused. Numbers are never given a new meaning.
public enum Rule: UInt16, Sendable, CaseIterable {
    case unknownRoot = 1
    case wrongRootKind = 2
    case wrongDepth = 3
    /// A namespace's name that the root's `names` do not match.
    case nameNotAllowed = 4
    /// A mount lies at or beneath the directory to be removed; `detail` says where. Its data is untouched.
    case mountBeneath = 5
    /// The way to the place leads through a symbolic link, a mount, or out of the root.
    case leavesRoot = 6
    case identityMismatch = 7
    /// What lies there is neither a namespace's pin nor an empty left-over file.
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
    /// The kernel has no openat2(2), or does not report mount roots: without them no place can be reached safely.
    case kernelTooOld = 16
    /// What lies there is no cgroup (version 2).
    case notCgroup = 17
    /// The cgroup is none that the container's state names, and the policy does not let processes beneath that root be
    /// signalled (version 2).
    case cgroupNotContainers = 18
    /// The process that the container's state names lives (version 2).
    case containerLives = 19
    /// Another living container of the runtime has the cgroup too, or one above or beneath it (version 2).
    case cgroupShared = 20

    // Reasons not to start, sent as the answer to Hello; `detail` names the file, line or value.
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

/// What was seen or counted. Which of them a reply carries depends on its kind; see `PROTOCOL.md`.
public enum Facts: Sendable, Equatable {
    case none
    case welcome(Welcome)
    /// The topmost mount at the place.
    case mount(MountIdentity)
    /// The namespace pinned at the place, or, where `mounted` is false, the left-over file itself.
    case namespace(NodeIdentity, mounted: Bool)
    case directory(DirectoryFacts)
    /// Entries removed, mounts detached, or processes signalled by this request.
    case count(UInt64)
    case runtime(RuntimeFacts)
    /// The topmost mount at the place, and the directory or file that the stack of mounts covers (version 2). Its birth is
    /// unknown, 0; all of it is where the filesystem does not list it.
    case mountPoint(MountIdentity, covers: NodeIdentity)
    /// What a runtime's state says of a container (version 2).
    case container(ContainerFacts)
}

/// A directory's identity and a page of its children.
public struct DirectoryFacts: Sendable, Equatable {
    /// The most bytes that a page's names may take, so that the packet stays within `Limits.replyBytes`.
    public static var pageBytes: Int { 8192 }

    public var identity: NodeIdentity
    /// Names with the kind of entry (`DT_*` of readdir(3)).
    public var children: [Child]
    /// Where the next page begins; 0 after the last.
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
    /// The container's first process; 0: none is named.
    public var pid: UInt32 = 0
    /// When it began, in clock ticks after boot (proc_pid_stat(5)); 0 where there is no pid.
    public var startTime: UInt64 = 0
    /// At most `Limits.containerCgroups`.
    public var cgroups: [Cgroup] = []
    /// crun: the systemd scope, if it has one.
    public var scope: [UInt8] = []

    /// Whose form the state has.
    public enum State: UInt8, Sendable, CaseIterable {
        /// The directory has no state file.
        case absent = 0
        /// It is empty, cut off, larger than 4 MiB, names more than fits, or has another form.
        case notUnderstood = 1
        /// `state.json` of libcontainer.
        case runc = 2
        /// `status` of crun.
        case crun = 3
    }

    /// A cgroup that the state names.
    public struct Cgroup: Sendable, Equatable {
        /// runc: the controller, or the hierarchy's name, of cgroup version 1; empty for version 2, and in crun's state.
        public var controller: [UInt8]
        /// runc: the absolute path. crun: the path beneath each hierarchy's root.
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

/// What a runtime call left.
public struct RuntimeFacts: Sendable, Equatable {
    /// Exit status, or the negative number of the signal that ended it.
    public var status: Int32
    /// The container's state directory, looked at after the call; nil where it is gone.
    public var stateDirectory: NodeIdentity?
    /// The end of its standard error, at most `Limits.errorOutputBytes`.
    public var errorOutput: [UInt8]
    public var output: Output

    public enum Output: Sendable, Equatable {
        case inline([UInt8])
        /// This many bytes in the sealed memfd that came with the packet.
        case memfd(bytes: UInt32)
    }

    public init(status: Int32, stateDirectory: NodeIdentity?, errorOutput: [UInt8], output: Output) {
        self.status = status
        self.stateDirectory = stateDirectory
        self.errorOutput = errorOutput
        self.output = output
    }
}
