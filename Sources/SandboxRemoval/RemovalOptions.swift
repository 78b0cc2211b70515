public import SandboxRegistry

/// Bounds of one removal or stop. The defaults suit a node under load.
public struct RemovalOptions: Sendable {
    /// For the whole call, including waiting for another removal of the sandbox. What is not done by then fails, and
    /// the next call resumes it.
    public var timeout: Duration
    /// How long one call of the runtime may take.
    public var runtimeCall: Duration
    /// How long a process may take to end after SIGKILL; beyond that, it is stuck in the kernel.
    public var afterKill: Duration
    /// The most directory entries that one request removes, 1 to 1,000,000; progress is reported between requests.
    public var sliceEntries: UInt32
    /// How long one request for a directory lasts before the next request continues.
    public var sliceTime: Duration
    /// How many containers are worked on at once, at least 1. (The helper pool bounds how many requests are in flight.)
    public var containersAtOnce: Int
    /// Called when all containers are gone, right before the first namespace is deleted: meant for CNI DEL, which needs
    /// the namespace.
    ///
    /// An error that it throws is reported and keeps the namespaces; the next call of `remove` or `stop` calls it
    /// again. It is also called again if a removal was interrupted after it, even if the namespaces are gone by then;
    /// CNI DEL tolerates both.
    ///
    /// If it still runs after its timeout, it is not called again for that sandbox until it has ended.
    public var beforeNamespaces: (@Sendable (Sandbox) async throws -> Void)? {
        didSet { (beforeNamespacesCommand, beforeNamespacesProgram) = (nil, nil) }
    }
    /// The program and arguments that the hook runs, if `runBeforeNamespaces` set it. Used to tell whether another call
    /// runs the same hook.
    public internal(set) var beforeNamespacesCommand: [String]?
    /// Runs that program, which holds the sandbox's lock for as long as it runs.
    var beforeNamespacesProgram: (@Sendable (Sandbox, SandboxHold) async throws -> Void)?
    /// How long `beforeNamespaces` may take. After that its task is cancelled, and not waited for.
    public var beforeNamespacesTimeout: Duration
    /// Whether the report names processes that keep the pod's shm or one of its pinned namespaces mounted in mount
    /// namespaces of their own. This looks at every process of the node, after everything else is done.
    public var namesHolders: Bool
    /// Whether a container is assumed dead if it is unknown whether it lives. `lookForHolders` is called first, and
    /// nothing is touched unless it finds no holder. No process is signalled then, what certainly lives is not removed,
    /// and the report says so.
    public var assumesDeath: Bool
    /// Looks at every process of the node for holders of the sandbox, given the records at that time. It blocks. The
    /// default looks from within this process, which requires root.
    public var lookForHolders: @Sendable (PodRecords) throws -> HoldersSeen

    public init(
        timeout: Duration = .seconds(120), runtimeCall: Duration = .seconds(20), afterKill: Duration = .seconds(10),
        sliceEntries: UInt32 = 1_000_000, sliceTime: Duration = .seconds(1), containersAtOnce: Int = 32,
        beforeNamespaces: (@Sendable (Sandbox) async throws -> Void)? = nil,
        beforeNamespacesTimeout: Duration = .seconds(60), namesHolders: Bool = false, assumesDeath: Bool = false,
        lookForHolders: @escaping @Sendable (PodRecords) throws -> HoldersSeen = { try $0.lookForHolders() }
    ) {
        self.timeout = timeout
        self.runtimeCall = runtimeCall
        self.afterKill = afterKill
        self.sliceEntries = sliceEntries
        self.sliceTime = sliceTime
        self.containersAtOnce = max(1, containersAtOnce)
        self.beforeNamespaces = beforeNamespaces
        self.beforeNamespacesTimeout = beforeNamespacesTimeout
        self.namesHolders = namesHolders
        self.assumesDeath = assumesDeath
        self.lookForHolders = lookForHolders
    }
}
