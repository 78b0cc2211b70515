internal import SandboxRegistry

/// What a call wants done to a sandbox, as far as it decides whether another call's work answers this call too.
struct Wanted: Sendable {
    var purpose: RemovalPlan.Purpose
    /// The container to stop or remove; nil if the call concerns the whole sandbox.
    var container: String?
    var hook: Hook
    var assumesDeath: Bool
    /// How long containers may take to end before they are killed.
    var grace: Duration
    /// The time limits after which the call gives up.
    var bounds: RemovalBounds

    /// What the call wants run before the namespaces are deleted.
    enum Hook: Sendable, Equatable {
        case none
        /// A program and its arguments.
        case program([String])
        /// The caller's own code, which cannot be compared with that of another call.
        case code

        /// Whether the other call is known to want the same.
        func isSame(as other: Hook) -> Bool { self == other && self != .code }
    }

    init(
        _ purpose: RemovalPlan.Purpose, container: String? = nil, grace: Duration = .zero, _ options: RemovalOptions
    ) {
        self.purpose = purpose
        self.container = container
        self.grace = grace
        bounds = RemovalBounds(options)
        hook = .none
        assumesDeath = options.assumesDeath
        if purpose.isOfSandbox, options.beforeNamespaces != nil {
            hook = options.beforeNamespacesCommand.map(Hook.program) ?? .code
        }
    }

    /// Whether the report of another call's work answers this call, so that nothing is left to do for it.
    func isAnswered(by report: RemovalReport) -> Bool {
        guard report.purpose == purpose || purpose.isOfSandbox && report.outcome == .removed else { return false }
        // A failure under a shorter deadline, tighter bounds or a different hook counts only for the call that failed.
        if report.outcome == .incomplete {
            if report.ranOutOfTime == true { return false }
            // A removal that assumes death may finish what one that does not leaves, and the reverse.
            if (report.assumedDead ?? false) != assumesDeath { return false }
            if let tried = report.bounds, !tried.cover(bounds) { return false }
        }
        return switch hook {
        case .none: report.outcome != .incomplete || report.hook == nil
        case .code: false
        case .program(let command): report.hook == command
        }
    }
}

/// The time limits at which a removal gives something up. In JSON each is a number of seconds.
public struct RemovalBounds: Codable, Sendable, Equatable {
    public var runtimeCall: Duration
    public var afterKill: Duration
    /// Zero if there is no hook.
    public var hook: Duration

    private enum CodingKeys: String, CodingKey { case runtimeCall, afterKill, hook }

    init(_ options: RemovalOptions) {
        runtimeCall = options.runtimeCall
        afterKill = options.afterKill
        hook = options.beforeNamespaces == nil ? .zero : options.beforeNamespacesTimeout
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func time(_ key: CodingKeys) throws -> Duration {
            Duration(recordedSeconds: try fields.decode(Double.self, forKey: key))
        }
        runtimeCall = try time(.runtimeCall)
        afterKill = try time(.afterKill)
        hook = try time(.hook)
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(runtimeCall.inSeconds, forKey: .runtimeCall)
        try fields.encode(afterKill.inSeconds, forKey: .afterKill)
        try fields.encode(hook.inSeconds, forKey: .hook)
    }

    /// Whether work that failed within these limits would fail within `other` too.
    func cover(_ other: Self) -> Bool {
        runtimeCall >= other.runtimeCall && afterKill >= other.afterKill && hook >= other.hook
    }
}
