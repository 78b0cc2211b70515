internal import LinuxSystem

/// How a helper is started.
public enum HelperLaunch: Sendable, Equatable {
    /// A program is started with a socket on its fd 0, an empty environment, and nothing else inherited but standard
    /// error. PATH is not searched for it. At most 32 arguments; the helper takes one, the path of its policy, and only
    /// from root.
    case program(String, arguments: [String] = [])
    /// A service manager listens at this Unix socket (SOCK_SEQPACKET, path of at most 107 bytes) and starts a helper
    /// for each connection, with the connection on its fd 0. So no privilege passes through this process, which may
    /// have given up all of its own.
    case socket(String)

    /// The path of the program or of the socket.
    public var path: String {
        switch self {
        case .program(let path, _), .socket(let path): path
        }
    }
}

/// Limits of a pool of helpers.
public struct HelperLimits: Sendable, Equatable {
    /// The most helpers that work at once, at least 1. Each is started when there is work for it.
    public var helpers: Int
    /// The most helpers that were abandoned without a reply and have not ended: a hung filesystem can hold one for
    /// ever. At this number no new helper is started.
    public var abandoned: Int
    /// The longest time from a helper's start to its Welcome.
    public var start: Duration
    /// How long to wait for a reply after the request's own deadline.
    public var margin: Duration

    /// - Parameter helpers: If nil, one more than there are processors, but 3 to 16. A runtime call occupies a
    ///   processor, and the extra helper keeps it busy meanwhile.
    public init(
        helpers: Int? = nil, abandoned: Int = 4, start: Duration = .seconds(5), margin: Duration = .seconds(6)
    ) {
        self.helpers = max(1, helpers ?? min(max(processorCount() + 1, 3), 16))
        self.abandoned = max(0, abandoned)
        self.start = start
        self.margin = margin
    }
}
