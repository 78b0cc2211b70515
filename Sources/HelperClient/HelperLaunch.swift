/// How a helper comes to be.
public enum HelperLaunch: Sendable, Equatable {
    /// A program is started with a socket on its fd 0, an empty environment, and nothing else inherited but standard error. Its path is
    /// not searched for. At most 32 arguments; the helper takes one, the path of its policy, and only from root.
    case program(String, arguments: [String] = [])
    /// A service manager listens at this Unix socket (SOCK_SEQPACKET, at most 107 bytes) and starts a helper for each connection, with
    /// the connection on its fd 0. So no privilege comes through this process, which may have given up all of its own.
    case socket(String)

    /// The program's or the socket's.
    public var path: String {
        switch self {
        case .program(let path, _), .socket(let path): path
        }
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

    /// - Parameter helpers: Nil: one more than there are processors, 3 to 16. What a runtime does takes a processor, and one helper more
    ///   keeps it busy meanwhile.
    public init(
        helpers: Int? = nil, abandoned: Int = 4, start: Duration = .seconds(5), margin: Duration = .seconds(6)
    ) {
        self.helpers = max(1, helpers ?? min(max(processorCount() + 1, 3), 16))
        self.abandoned = max(0, abandoned)
        self.start = start
        self.margin = margin
    }
}
