/// Bounds of one removal or stop. Each defaults to what suits a node under load.
public struct RemovalOptions: Sendable {
    /// For the whole of it. What is not done by then fails, and the next call resumes.
    public var timeout: Duration
    /// How long a call of the runtime may take.
    public var runtimeCall: Duration
    /// How long a process may take to end after KILL: beyond it, it is stuck in the kernel.
    public var afterKill: Duration
    /// How many directory entries one request removes; between requests, progress is told.
    public var sliceEntries: UInt32

    public init(
        timeout: Duration = .seconds(120), runtimeCall: Duration = .seconds(20), afterKill: Duration = .seconds(10),
        sliceEntries: UInt32 = 20_000
    ) {
        self.timeout = timeout
        self.runtimeCall = runtimeCall
        self.afterKill = afterKill
        self.sliceEntries = sliceEntries
    }
}
