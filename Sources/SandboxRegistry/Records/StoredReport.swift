public import FoundationEssentials

/// A past removal or stop, for `history`.
public struct StoredReport: Sendable, Equatable, Codable {
    public var sandboxID: String
    public var podName: String
    /// In whole microseconds, which is the registry's precision.
    public var startedAt: Date
    public var duration: Duration
    /// `removed`, `stopped` or `incomplete`.
    public var outcome: String
    /// The report itself, in JSON.
    public var body: Data

    public init(
        sandboxID: String, podName: String, startedAt: Date, duration: Duration, outcome: String, body: Data
    ) {
        self.sandboxID = sandboxID
        self.podName = podName
        self.startedAt = startedAt.inMicroseconds
        self.duration = duration
        self.outcome = outcome
        self.body = body
    }
}
