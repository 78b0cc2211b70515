public import FoundationEssentials
public import SandboxRegistry

/// How one step ended.
public struct StepRecord: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        /// It was done now.
        case done
        /// There was nothing to do.
        case alreadyDone
        case failed
        /// A step that it depends on did not succeed.
        case skipped
    }

    public var number: Int
    public var verb: String
    /// The sandbox's or container's id.
    public var subject: String
    public var target: String
    public var outcome: Outcome
    /// Why it failed or was skipped, and what would help; or what is worth knowing of a success.
    public var detail: String?
    /// Why it failed, for programs; nil where `detail` alone knows.
    public var cause: StepCause?
    /// Milliseconds from the removal's start.
    public var start: Double
    /// Milliseconds.
    public var duration: Double
    /// Directory entries that were removed.
    public var entries: UInt64?

    public var succeeded: Bool { outcome == .done || outcome == .alreadyDone }
}

/// What a removal, or a stop, did and left.
public struct RemovalReport: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        /// Nothing of the sandbox is left.
        case removed
        /// Nothing of it runs.
        case stopped
        /// At least one step failed; the next call resumes.
        case incomplete
    }

    public var purpose: RemovalPlan.Purpose
    public var sandbox: String
    public var pod: String
    public var startedAt: Date
    /// Seconds.
    public var duration: Double
    public var outcome: Outcome
    /// In the order of the plan.
    public var steps: [StepRecord]
    public var warnings: [String]
    /// The program that was to be run before the namespaces went, with its arguments; nil: none.
    public var hook: [String]?
    /// True where it is incomplete and its time was over: another call with more time may get further.
    public var ranOutOfTime: Bool?
    /// True where what was not known to live was taken for dead, after root had looked at every process (`RemovalOptions.assumesDeath`).
    public var assumedDead: Bool?
    /// How far it went; nil in reports of 0.1.0.
    public var bounds: RemovalBounds?

    /// The steps that failed: what is to be seen to. Those that were skipped for them are not among them.
    public var failures: [StepRecord] { steps.filter { $0.outcome == .failed } }

    /// Reads a report that was kept. nil where it is none.
    public init?(_ stored: StoredReport) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let report = try? decoder.decode(Self.self, from: stored.body) else { return nil }
        self = report
    }

    init(
        purpose: RemovalPlan.Purpose, sandbox: Sandbox, startedAt: Date, duration: Double, outcome: Outcome,
        steps: [StepRecord], warnings: [String]
    ) {
        self.purpose = purpose
        self.sandbox = sandbox.id
        pod = sandbox.metadata.reservedName
        self.startedAt = startedAt
        self.duration = duration
        self.outcome = outcome
        self.steps = steps
        self.warnings = warnings
    }

    /// One JSON object, its keys in alphabetical order.
    public func json() -> Data {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // No number of a report can be infinite, which is all that could fail.
        return (try? encoder.encode(self)) ?? Data()
    }

    /// For the registry.
    public var stored: StoredReport {
        StoredReport(
            sandboxID: sandbox, podName: pod, startedAt: startedAt, duration: duration, outcome: outcome.rawValue,
            body: json())
    }
}
