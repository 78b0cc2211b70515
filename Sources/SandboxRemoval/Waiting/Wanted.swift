/// What a call wants done to a sandbox, as far as it decides whether the work of another call is an answer to it.
struct Wanted: Sendable {
    var purpose: RemovalPlan.Purpose
    /// The container that it is about, where it is not about the whole sandbox.
    var container: String?
    var hook: Hook
    var assumesDeath: Bool
    /// How long containers may take to end by themselves.
    var grace: Duration
    /// How far it goes.
    var bounds: RemovalBounds

    /// What is to be called before the namespaces go.
    enum Hook: Sendable, Equatable {
        case none
        /// A program with its arguments.
        case program([String])
        /// Code of the caller's, which nobody can compare with another's.
        case code
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

    /// Whether the report of another call's work answers this one, so that nothing is left to be done for it.
    func isAnswered(by report: RemovalReport) -> Bool {
        guard report.purpose == purpose || purpose.isOfSandbox && report.outcome == .removed else { return false }
        // Who had less time, less patience or another hook fails for himself alone.
        if report.outcome == .incomplete {
            if report.ranOutOfTime == true { return false }
            // What one of them leaves the other can do.
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

/// How far a removal went before it gave something up, in seconds.
public struct RemovalBounds: Codable, Sendable, Equatable {
    public var runtimeCall: Double
    public var afterKill: Double
    public var hook: Double

    init(_ options: RemovalOptions) {
        runtimeCall = options.runtimeCall / .seconds(1)
        afterKill = options.afterKill / .seconds(1)
        hook = options.beforeNamespaces == nil ? 0 : options.beforeNamespacesTimeout / .seconds(1)
    }

    /// Whether what failed within these fails within the others too.
    func cover(_ other: Self) -> Bool {
        runtimeCall >= other.runtimeCall && afterKill >= other.afterKill && hook >= other.hook
    }
}
