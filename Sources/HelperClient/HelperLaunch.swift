/// How a helper is started: a program with a socket on its fd 0, an empty environment, and nothing else inherited but
/// standard error.
public struct HelperLaunch: Sendable, Equatable {
    /// The program's path. It is not searched for.
    public var executable: String
    /// At most 32. The helper takes one, the path of its policy, and only from root.
    public var arguments: [String]

    public init(executable: String, arguments: [String] = []) {
        self.executable = executable
        self.arguments = arguments
    }
}

/// Bounds of a pool of helpers.
public struct HelperLimits: Sendable, Equatable {
    /// The most helpers that work at once, at least 1. Each is started when there is work for it.
    public var helpers: Int
    /// The most helpers given up because no reply came, and not dead yet: a hung filesystem can hold one for ever.
    /// Beyond it no new one is started.
    public var abandoned: Int
    /// How long a helper may take from its start to its Welcome.
    public var start: Duration
    /// How long after a request's own deadline its reply is still waited for.
    public var margin: Duration

    public init(
        helpers: Int = 4, abandoned: Int = 4, start: Duration = .seconds(5), margin: Duration = .seconds(6)
    ) {
        self.helpers = max(1, helpers)
        self.abandoned = max(0, abandoned)
        self.start = start
        self.margin = margin
    }
}
