public import SandboxRegistry

/// Bounds of one removal or stop. Each defaults to what suits a node under load.
public struct RemovalOptions: Sendable {
    /// For the whole of it, waiting for another removal of the sandbox included. What is not done by then fails, and the next call
    /// resumes.
    public var timeout: Duration
    /// How long a call of the runtime may take.
    public var runtimeCall: Duration
    /// How long a process may take to end after KILL: beyond it, it is stuck in the kernel.
    public var afterKill: Duration
    /// How many directory entries one request removes at the most, 1 to 1,000,000; between requests, progress is told.
    public var sliceEntries: UInt32
    /// How long one request for a directory lasts: then the next one goes on.
    public var sliceTime: Duration
    /// How many containers are worked on at once, at least 1. (How many requests are in flight, the pool of helpers bounds.)
    public var containersAtOnce: Int
    /// Called when all containers are gone, right before the first namespace is deleted: for CNI DEL, which needs it.
    ///
    /// What it throws is shown, and keeps the namespaces: the next call of `remove` or `stop` calls it again. It is also called
    /// again where a removal was interrupted after it, even if the namespaces are gone by then; CNI DEL takes both.
    ///
    /// Where it still runs when its time is over, it is not called again for that sandbox before it has ended.
    public var beforeNamespaces: (@Sendable (Sandbox) async throws -> Void)? {
        didSet { (beforeNamespacesCommand, beforeNamespacesProgram) = (nil, nil) }
    }
    /// The program that it runs, where `runBeforeNamespaces` has set it: by that it is known whether another call's does the same.
    public internal(set) var beforeNamespacesCommand: [String]?
    /// Runs that program, which holds the turn for as long as it runs.
    var beforeNamespacesProgram: (@Sendable (Sandbox, SandboxHold) async throws -> Void)?
    /// How long that may take. Its task is cancelled then, and not waited for.
    public var beforeNamespacesTimeout: Duration
    /// Whether the report names processes that keep the pod's shm or a pinned namespace of it mounted in mount namespaces of
    /// their own. That takes a look at every process of the node, once all else is done.
    public var namesHolders: Bool
    /// Whether a container of which it is not known whether it lives is taken for dead. `lookForHolders` is called before, and nothing is
    /// touched unless it has seen nobody. Nobody is signalled then, what lives for sure is not removed, and the report says so.
    public var assumesDeath: Bool
    /// The look at every process of the node, with what is registered by then; it blocks. As this process's, it takes root.
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
