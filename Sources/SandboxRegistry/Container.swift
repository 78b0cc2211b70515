public import FoundationEssentials

/// A process that is not mistaken for a later one with its pid.
public struct ProcessReference: Codable, Sendable, Equatable {
    public var pid: Int32
    /// Field 22 of `/proc/PID/stat` (proc(5)), in clock ticks since the boot named by the sandbox's `bootID`;
    /// 0 where nobody has looked yet, and then the pid alone proves nothing.
    public var startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }
}

/// A container of a sandbox: a workload, or the infra container that holds the pod's namespaces.
public struct Container: Codable, Sendable, Equatable {
    /// A directory that goes with its container.
    public struct Directory: Codable, Sendable, Equatable {
        public var path: String
        public var identity: FileIdentity?

        public init(path: String, identity: FileIdentity? = nil) {
            self.path = path
            self.identity = identity
        }
    }

    public var id: String
    public var sandboxID: String
    public var isInfra: Bool
    /// The name and attempt of CRI's `ContainerMetadata`.
    public var name: String
    public var attempt: UInt32
    /// In whole microseconds, which is what the registry keeps.
    public var createdAt: Date
    /// The OCI runtime's name in the helper's policy.
    public var runtime: String
    /// For people to read; may be empty.
    public var image: String
    public var directories: [Directory]
    /// 1 to 64 (signal(7)).
    public var stopSignal: UInt8
    /// The container's init, where it is known.
    public var process: ProcessReference?
    /// Its cgroups as absolute directories, one for each hierarchy; empty: unknown.
    public var cgroups: [String]
    public var labels: [String: String]
    public var annotations: [String: String]

    public init(
        id: String, sandboxID: String, isInfra: Bool = false, name: String, attempt: UInt32 = 0, createdAt: Date,
        runtime: String, image: String = "", directories: [Directory] = [], stopSignal: UInt8 = Signal.terminate,
        process: ProcessReference? = nil, cgroups: [String] = [], labels: [String: String] = [:],
        annotations: [String: String] = [:]
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
        self.labels = labels
        self.annotations = annotations
    }

    /// The name that the container holds, in the kubelet's form. The infra container's comes from the pod alone, as a
    /// pod has one, and goes with the sandbox; a workload's goes with the container.
    public func reservedName(in pod: PodMetadata) -> String {
        isInfra
            ? "\(Container.infraName)_\(pod.reservedName)"
            : "\(name)_\(pod.name)_\(pod.namespace)_\(pod.uid)_\(attempt)"
    }

    /// What the kubelet calls every infra container.
    public static let infraName = "POD"
}
