public import NodeObservation

/// What is known of the runtime that manages a pod that is not registered, and of how it treats the pod.
public struct PodRuntime: Sendable, Equatable {
    /// A shim or conmon of the pod's.
    public struct Monitor: Sendable, Equatable {
        public var process: ProcessObservation
        public var containers: [String]
    }

    public var runtime: ForeignRuntime
    /// Its process; nil if it does not run.
    public var manager: PodManager?
    /// The socket of its CRI; nil if unknown.
    public var socket: String?
    public var monitors: [Monitor] = []
    /// Containers of which the OCI runtime has no state, by id.
    public var lost: Set<String> = []
    /// The directories of states that exist but cannot be read, by container.
    public var damagedStates: [String: String] = [:]
    /// Where containers' root filesystems are mounted on the node, by container.
    public var rootfs: [String: String] = [:]
    /// CNI plugins that take the pod's network away right now.
    public var plugins: [ProcessObservation] = []
    /// What its log says; nil if there is no log that can be read.
    public var words: RuntimeWords?
    /// What it answers through CRI; nil if it was not asked.
    public var answer: CRIAnswer?
    /// Why it could not be asked; nil if nobody tried.
    public var unasked: String?

    public init(runtime: ForeignRuntime, manager: PodManager? = nil) {
        self.runtime = runtime
        self.manager = manager
    }

    /// Whether somebody has asked it to stop or to remove the pod, as far as it says.
    public var isAsked: Bool {
        words?.asked != nil || words?.error != nil || !plugins.isEmpty || answer?.pod?.isReady == false
    }
}

/// What a runtime answers about one pod through CRI.
public struct CRIAnswer: Sendable, Equatable, Codable {
    /// The pod as the runtime lists it; nil if it lists none with this id.
    public var pod: CRIPod?
    /// Why there is no answer; nil if there is one.
    public var failure: String?

    public init(pod: CRIPod? = nil, failure: String? = nil) {
        self.pod = pod
        self.failure = failure
    }
}

/// A pod as a runtime lists it through CRI.
public struct CRIPod: Sendable, Equatable, Codable {
    public struct Container: Sendable, Equatable, Codable {
        public var id: String
        public var name: String
        /// `created`, `running`, `exited` or `unknown`.
        public var state: String

        public init(id: String, name: String, state: String) {
            self.id = id
            self.name = name
            self.state = state
        }
    }

    public var id: String
    public var name: String
    public var namespace: String
    public var uid: String
    public var attempt: UInt32
    public var isReady: Bool
    public var containers: [Container]

    public init(
        id: String, name: String, namespace: String, uid: String = "", attempt: UInt32 = 0, isReady: Bool,
        containers: [Container] = []
    ) {
        self.id = id
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.attempt = attempt
        self.isReady = isReady
        self.containers = containers
    }
}
