internal import Foundation

/// How to start a program: as whom, with what, and in which view of the node.
public struct ProgramStart: Sendable {
    public var program: String
    /// Argument 0 included; may be empty.
    public var arguments: [String]
    public var environment: [String] = []
    public var user: UInt32 = 0
    public var group: UInt32 = 0
    /// The descriptor that becomes 0; nil: one end of a SOCK_SEQPACKET socketpair.
    public var input: Int32?
    /// Whether `Program.write` writes to its input instead.
    public var takesInput = false
    /// The user who makes that socketpair; nil: `user`.
    public var socketOwner: UInt32?
    /// Bind mounts that only this program sees, in a mount namespace of its own; without a source the target is
    /// detached there instead.
    public var binds: [(source: String?, target: String)] = []
    public var output = Output.discarded
    /// nil: where its output goes.
    public var errors: Output?

    /// Where a standard stream goes.
    public enum Output: Sendable {
        /// To /dev/null.
        case discarded
        /// To who calls `Program.readLine` or `readAll`.
        case read
        /// To the same stream of this process.
        case shared
    }

    public init(_ program: String, _ arguments: [String] = []) {
        self.program = program
        self.arguments = [program] + arguments
    }

    /// A command with this process's input. A program without a slash is looked for in PATH.
    public init(_ command: [String], environment: [String] = Self.plainEnvironment) {
        let isPath = command[0].contains("/")
        self.init(isPath ? command[0] : "/usr/bin/env", Array(command.dropFirst(isPath ? 1 : 0)))
        self.environment = environment
        input = 0
    }

    /// A script of /bin/sh with this process's input.
    public init(script: String) { self.init(["/bin/sh", "-c", script]) }

    public static let plainEnvironment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]

    /// This process's own, with some variables added or changed.
    public static func ownEnvironment(_ changes: [String: String] = [:]) -> [String] {
        ProcessInfo.processInfo.environment.merging(changes) { $1 }.map { "\($0)=\($1)" }
    }
}
