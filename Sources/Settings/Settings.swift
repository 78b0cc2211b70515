/// The settings of `podreap.toml`, for both programs. Every key is optional; podreap.toml(5) documents each.
public struct Settings: Sendable, Equatable {
    public static let defaultPath = "/etc/podreap/podreap.toml"

    /// The registry's file.
    public var registry = "/var/lib/podreap/registry.sqlite"
    /// The helper's program.
    public var helper = "/usr/libexec/podreap/podreap-helper"
    /// A socket at which a service manager starts helpers, used instead of `helper`; nil if there is none.
    public var helperSocket: String?
    /// How many helpers work at once; nil for a number that suits the machine.
    public var helpers: Int?

    public var removal = Removal()
    public var daemon = Daemon()

    public struct Removal: Sendable, Equatable {
        public var timeout = Duration.seconds(120)
        public var runtimeCall = Duration.seconds(20)
        public var afterKill = Duration.seconds(10)
        public var stopGrace = Duration.seconds(10)
        /// A program and its arguments, run before a network namespace is deleted; empty if there is none.
        public var beforeNetns: [String] = []
        public var beforeNetnsTimeout = Duration.seconds(30)
    }

    public struct Daemon: Sendable, Equatable {
        public var socket = "/run/podreap/podreap.sock"
        /// The permissions of the socket's file.
        public var mode: UInt32 = 0o660
        /// The group and the users that may call, each by name or number.
        public var group: String?
        public var users: [String] = []
        public var atOnce = 64
        public var waiting = 4096
        /// How long the daemon waits for calls in flight when it ends.
        public var endGrace = Duration.seconds(30)
        /// `HOST:PORT`; nil if no metrics are served.
        public var metrics: String?
        public var log = "info"
    }

    public init() {}

    static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
}

/// What is wrong with a settings file, and where.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// The line number, from 1; nil if the file as a whole is wrong.
    public let line: Int?
    public let problem: String

    init(_ path: String, _ line: Int?, _ problem: String) {
        self.path = path
        self.line = line
        self.problem = problem
    }

    public var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}
