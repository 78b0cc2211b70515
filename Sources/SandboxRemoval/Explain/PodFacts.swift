public import NodeObservation
public import SandboxRegistry

/// All that is known of a sandbox that may be stuck: its records, what became of the last removal, and what is seen on the node.
/// An explanation is a pure function of it.
public struct PodFacts: Sendable {
    /// A process of the pod: a container's recorded init, or a member of one of its cgroups.
    public struct Member: Sendable, Equatable {
        public var container: String
        public var isInit: Bool
        public var process: ProcessObservation
    }

    /// A frozen cgroup, and the pod's processes in it.
    public struct Frozen: Sendable, Equatable {
        public var cgroup: FrozenCgroup
        public var containers: [String]
        public var pids: [Int32]
    }

    /// A process that has died in a PID namespace of the pod and is not reaped by its parent.
    public struct Zombie: Sendable, Equatable {
        public var process: ProcessObservation
        public var parent: ProcessObservation?
        /// Whether it is in one of the pod's PID namespaces for sure; only root may know. Else it is in one of the pod's cgroups.
        public var isCertain: Bool
    }

    /// A mount that concerns the pod, and what its filesystem says.
    public struct Mounted: Sendable, Equatable {
        public var path: String
        public var type: String
        /// The filesystem's device; a FUSE connection is named by its minor number.
        public var device: Mount.Device
        /// nil where there was no reason to ask.
        public var answer: FilesystemProbe?
        /// Requests that a FUSE server has not answered, where that may be known.
        public var waitingRequests: Int?
        /// Whether it lies beneath one of the pod's own directories, or is only seen by its processes.
        public var isOwn: Bool
    }

    /// A mount of the pod in another mount namespace.
    public struct Copy: Sendable, Equatable {
        public var pid: Int32
        public var name: String
        public var mountNamespace: UInt64?
        public var paths: [String]
        public var types: [String]
    }

    /// Something that holds one of the pod's pinned namespaces beside the pin.
    public enum NamespaceHolder: Sendable, Equatable {
        /// A process that lives in it and is not the pod's.
        case process(pin: String, pid: Int32, name: String)
        /// A second pin.
        case mount(pin: String, path: String)
        /// One in another mount namespace.
        case mountElsewhere(pin: String, path: String, pid: Int32, name: String, mountNamespace: UInt64?)
    }

    /// Files beneath the pod's directories in the hands of a process that is not the pod's.
    public struct Use: Sendable, Equatable {
        /// 0: what is mounted elsewhere in the node's mount namespace, whoever has it.
        public var pid: Int32
        public var name: String
        public var how: [String]
        public var path: String
    }

    /// A directory of the pod, as it is now.
    public enum DirectoryState: Sendable, Equatable {
        case gone, there, replaced
        /// On a filesystem that does not answer, or behind one.
        case silent
        /// This user may not look.
        case forbidden
    }

    public var sandbox: Sandbox
    public var containers: [Container]
    public var report: RemovalReport?
    public var isAfterReboot = false
    /// The podreap that has it in work.
    public var worker: Int32?
    /// Whether that was stopped (^Z), so that it will not end by itself.
    public var isWorkerStopped = false
    /// Whether this user sees other users' open files, namespaces and wait channels.
    public var isPrivileged = false
    /// Processes that did not let themselves be looked into, though this user is privileged.
    public var hiddenProcesses: [HiddenProcess] = []
    public var members: [Member] = []
    public var frozen: [Frozen] = []
    public var zombies: [Zombie] = []
    /// Those who trace members, by pid.
    public var tracers: [Int32: ProcessObservation] = [:]
    public var mounts: [Mounted] = []
    public var copies: [Copy] = []
    public var namespaceHolders: [NamespaceHolder] = []
    public var uses: [Use] = []
    /// By path.
    public var directories: [String: DirectoryState] = [:]
    /// The kubelet's volumes of the pod.
    public var volumes: [Mounted] = []
    /// What could not be looked at, in words.
    public var unseen: [String] = []

    public init(sandbox: Sandbox, containers: [Container], report: RemovalReport? = nil) {
        self.sandbox = sandbox
        self.containers = containers
        self.report = report
    }
}
