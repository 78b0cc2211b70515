public import FoundationEssentials
public import SandboxRegistry

/// The result of one step.
public struct StepRecord: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        /// The step was done now.
        case done
        /// There was nothing to do.
        case alreadyDone
        case failed
        /// A step that it depends on did not succeed.
        case skipped
    }

    public var number: Int
    public var verb: String
    /// The id of the sandbox or container.
    public var subject: String
    public var target: String
    public var outcome: Outcome
    /// Why the step failed or was skipped, and what would help; or what is worth knowing about a success.
    public var detail: String?
    /// Why the step failed, for programs; nil if only `detail` says so.
    public var cause: StepCause?
    /// Since the start of the removal.
    public var start: Duration {
        get { Duration(recordedSeconds: startMilliseconds / 1000) }
        set { startMilliseconds = newValue.inMilliseconds }
    }
    public var duration: Duration {
        get { Duration(recordedSeconds: durationMilliseconds / 1000) }
        set { durationMilliseconds = newValue.inMilliseconds }
    }
    /// How many directory entries were removed.
    public var entries: UInt64?

    // Reports have numbers.
    private var startMilliseconds: Double
    private var durationMilliseconds: Double

    private enum CodingKeys: String, CodingKey {
        case number, verb, subject, target, outcome, detail, cause, entries
        case startMilliseconds = "start"
        case durationMilliseconds = "duration"
    }

    init(
        number: Int, verb: String, subject: String, target: String, outcome: Outcome, detail: String? = nil,
        cause: StepCause? = nil, start: Duration, duration: Duration
    ) {
        self.number = number
        self.verb = verb
        self.subject = subject
        self.target = target
        self.outcome = outcome
        self.detail = detail
        self.cause = cause
        startMilliseconds = start.inMilliseconds
        durationMilliseconds = duration.inMilliseconds
    }

    public var succeeded: Bool { outcome == .done || outcome == .alreadyDone }
}

/// What a removal or a stop did, and what it left.
public struct RemovalReport: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        /// Nothing of the sandbox is left.
        case removed
        /// Nothing of the sandbox runs.
        case stopped
        /// At least one step failed; the next call resumes.
        case incomplete
    }

    public var purpose: RemovalPlan.Purpose
    public var sandbox: String
    public var pod: String
    public var startedAt: Date
    public var duration: Duration {
        get { Duration(recordedSeconds: durationSeconds) }
        set { durationSeconds = newValue.inSeconds }
    }
    public var outcome: Outcome
    /// In the order of the plan.
    public var steps: [StepRecord]
    public var warnings: [String]
    /// The program, with its arguments, that was to run before the namespaces were deleted; nil if there is none.
    public var hook: [String]?
    /// True if the removal is incomplete and its time ran out: another call with more time may get further.
    public var ranOutOfTime: Bool?
    /// True if containers not known to live were assumed dead, after root had looked at every process
    /// (`RemovalOptions.assumesDeath`).
    public var assumedDead: Bool?
    /// The bounds of this removal; nil in reports of 0.1.0.
    public var bounds: RemovalBounds?

    // Reports have a number.
    private var durationSeconds: Double

    private enum CodingKeys: String, CodingKey {
        case purpose, sandbox, pod, startedAt, outcome, steps, warnings, hook, ranOutOfTime, assumedDead, bounds
        case durationSeconds = "duration"
    }

    /// The steps that failed and need attention. Steps that were skipped because of them are not included.
    public var failures: [StepRecord] { steps.filter { $0.outcome == .failed } }

    /// Decodes a stored report; nil if it is not a valid report.
    public init?(_ stored: StoredReport) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let report = try? decoder.decode(Self.self, from: stored.body) else { return nil }
        self = report
    }

    init(
        purpose: RemovalPlan.Purpose, sandbox: Sandbox, startedAt: Date, duration: Duration, outcome: Outcome,
        steps: [StepRecord], warnings: [String]
    ) {
        self.purpose = purpose
        self.sandbox = sandbox.id
        pod = sandbox.metadata.reservedName
        self.startedAt = startedAt
        durationSeconds = duration.inSeconds
        self.outcome = outcome
        self.steps = steps
        self.warnings = warnings
    }

    /// One JSON object with its keys in alphabetical order.
    public func json() -> Data {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Encoding could only fail on an infinite number, and a report contains none.
        return (try? encoder.encode(self)) ?? Data()
    }

    /// The report as the registry stores it.
    public var stored: StoredReport {
        StoredReport(
            sandboxID: sandbox, podName: pod, startedAt: startedAt, duration: duration, outcome: outcome.rawValue,
            body: json())
    }
}
