/// What `podreap.toml` says, for both programs. Every key is optional; `podreap.toml` beside this file's module documents each.
public struct Settings: Sendable, Equatable {
    public static let defaultPath = "/etc/podreap/podreap.toml"

    /// The registry's file.
    public var registry = "/var/lib/podreap/registry.sqlite"
    /// The helper's program.
    public var helper = "/usr/libexec/podreap/podreap-helper"
    /// A socket that a service manager starts a helper at, instead of that program; nil: none.
    public var helperSocket: String?
    /// How many helpers work at once; nil: as many as suit the machine.
    public var helpers: Int?

    public var removal = Removal()
    public var daemon = Daemon()

    /// Times are seconds.
    public struct Removal: Sendable, Equatable {
        public var timeout = 120.0
        public var runtimeCall = 20.0
        public var afterKill = 10.0
        public var stopGrace = 10.0
        /// A program and its arguments, run before a network namespace is deleted; empty: none.
        public var beforeNetns: [String] = []
        public var beforeNetnsTimeout = 30.0
    }

    public struct Daemon: Sendable, Equatable {
        public var socket = "/run/podreap/podreap.sock"
        /// Permissions.
        public var mode: UInt32 = 0o660
        /// Names or numbers.
        public var group: String?
        public var users: [String] = []
        public var atOnce = 64
        public var waiting = 4096
        /// Seconds.
        public var endGrace = 30.0
        /// `HOST:PORT`; nil: no metrics are served.
        public var metrics: String?
        public var log = "info"
    }

    public init() {}

    static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
}

/// What is wrong with a file of settings, and where.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// From 1; nil where the file as a whole is wrong.
    public let line: Int?
    public let problem: String

    init(_ path: String, _ line: Int?, _ problem: String) {
        self.path = path
        self.line = line
        self.problem = problem
    }

    public var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}
