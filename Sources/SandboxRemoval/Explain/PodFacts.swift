public import NodeObservation
public import SandboxRegistry

/// All that is known of a sandbox that may be stuck: its records, the result of the last removal, and what is observed
/// on the node. An explanation is a pure function of it.
public struct PodFacts: Sendable {
    /// A process of the pod: a container's recorded init process, or a member of one of its cgroups.
    public struct Member: Sendable, Equatable {
        public var container: String
        public var isInit: Bool
        public var process: ProcessObservation

        /// Whether it is the first process of a PID namespace of the pod.
        var isFirst: Bool { process.namespacePIDs.count > 1 && process.namespacePIDs.last == 1 }
    }

    /// A frozen cgroup, and the pod's processes in it.
    public struct Frozen: Sendable, Equatable {
        public var cgroup: FrozenCgroup
        public var containers: [String]
        public var pids: [Int32]
        /// Whether nobody but the pod lives in the cgroup, so that thawing it concerns no one else.
        public var isPodsAlone = false
    }

    /// A dead process in one of the pod's PID namespaces that its parent does not reap.
    public struct Zombie: Sendable, Equatable {
        public var process: ProcessObservation
        public var parent: ProcessObservation?
        /// True if the process is certainly in one of the pod's PID namespaces, which only root can determine.
        /// Otherwise it is known only to be in one of the pod's cgroups.
        public var isCertain: Bool
    }

    /// A mount that concerns the pod, and its filesystem's answer.
    public struct Mounted: Sendable, Equatable {
        public var path: String
        public var type: String
        /// The filesystem's device; a FUSE connection is named by its minor number.
        public var device: Mount.Device
        /// nil if there was no reason to ask.
        public var answer: FilesystemProbe?
        /// Requests that a FUSE server has not answered; nil if unknown.
        public var waitingRequests: Int?
        /// The process that sees it at this path, if the node does not.
        public var seenBy: Int32?
        /// True if the mount lies beneath one of the pod's own directories; false if only the pod's processes see it.
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

    /// Something besides the pin that holds one of the pod's pinned namespaces.
    public enum NamespaceHolder: Sendable, Equatable {
        /// A process that lives in the namespace and does not belong to the pod.
        case process(pin: String, pid: Int32, name: String)
        /// A second pin.
        case mount(pin: String, path: String)
        /// A pin in another mount namespace.
        case mountElsewhere(pin: String, path: String, pid: Int32, name: String, mountNamespace: UInt64?)
    }

    /// Files beneath the pod's directories that a process outside the pod uses.
    public struct Use: Sendable, Equatable {
        /// 0 if something of the pod is mounted elsewhere in the node's mount namespace, whichever process did that.
        public var pid: Int32
        public var name: String
        public var how: [String]
        public var path: String
    }

    /// The current state of one of the pod's directories.
    public enum DirectoryState: Sendable, Equatable {
        case gone, there, replaced
        /// The directory lies on, or behind, a filesystem that does not answer.
        case silent
        /// This user may not look there.
        case forbidden
    }

    public var sandbox: Sandbox
    public var containers: [Container]
    public var report: RemovalReport?
    public var isAfterReboot = false
    /// The podreap process that works on the sandbox.
    public var worker: Int32?
    /// Whether that process was stopped (^Z), so that it will not finish by itself.
    public var isWorkerStopped = false
    /// Whether this user sees other users' open files, namespaces and wait channels.
    public var isPrivileged = false
    /// Processes that could not be inspected, although this user is privileged.
    public var hiddenProcesses: [HiddenProcess] = []
    public var members: [Member] = []
    public var frozen: [Frozen] = []
    public var zombies: [Zombie] = []
    /// The processes that trace members, by pid.
    public var tracers: [Int32: ProcessObservation] = [:]
    public var mounts: [Mounted] = []
    public var copies: [Copy] = []
    public var namespaceHolders: [NamespaceHolder] = []
    public var uses: [Use] = []
    /// The answers of the filesystems that were asked.
    public var answers: [Mount.Device: FilesystemProbe] = [:]
    /// The states of the pod's directories, by path.
    public var directories: [String: DirectoryState] = [:]
    /// The kubelet's volumes of the pod.
    public var volumes: [Mounted] = []
    /// The runtime that manages the pod, if that is not registered.
    public var runtime: PodRuntime?
    /// The node's runtimes and kubelets, and the pod's shims and conmons: nobody is advised to end them.
    public var keepers: Set<Int32> = []
    /// What could not be observed, in words.
    public var unseen: [String] = []

    public init(sandbox: Sandbox, containers: [Container], report: RemovalReport? = nil) {
        self.sandbox = sandbox
        self.containers = containers
        self.report = report
    }
}
