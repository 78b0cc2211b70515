internal import CTestNode
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
    /// The user who makes that socketpair; nil: `user`.
    public var socketOwner: UInt32?
    /// Bind mounts that only this program sees, in a mount namespace of its own; without a source the target is
    /// detached there instead.
    public var binds: [(source: String?, target: String)] = []
    /// Whether its output is read; else it goes to /dev/null.
    public var readsOutput = false

    public init(_ program: String, _ arguments: [String] = []) {
        self.program = program
        self.arguments = [program] + arguments
    }
}

/// A running program, which ends with this object at the latest.
public final class Program: Sendable {
    public enum Exit: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    public let pid: Int32
    /// Our end of its socketpair, or -1.
    public let socket: Int32
    private let process: Int32
    private let output: Int32
    private let state = State()

    /// What changes, under one lock.
    private final class State: @unchecked Sendable {
        private let lock = NSLock()
        private var exit: Exit?
        private var socketClosed = false

        func exit(_ find: () throws -> Exit?) rethrows -> Exit? {
            try lock.withLock {
                if exit == nil { exit = try find() }
                return exit
            }
        }

        func closeSocket(_ body: () -> Void) {
            lock.withLock {
                if !socketClosed { body() }
                socketClosed = true
            }
        }
    }

    public init(_ start: ProgramStart) throws {
        let pipe = start.readsOutput ? try makePair(socketType: nil) : [-1, -1]
        defer { closeDescriptor(pipe[1]) }
        let started = try startProgram(start, output: pipe[1])
        pid = started.pid
        process = started.process
        socket = started.socket
        output = pipe[0]
    }

    deinit {
        kill()
        closeSocket()
        _ = try? wait(seconds: 5)
        closeDescriptor(process)
        closeDescriptor(output)
    }

    public func kill(_ signal: Int32 = 9) { killProcess(process, signal) }

    public func closeSocket() { state.closeSocket { closeDescriptor(socket) } }

    /// How it ended; nil where it still runs after that time.
    public func wait(seconds: Double) throws -> Exit? {
        try state.exit {
            guard let status = try waitForEnd(process, milliseconds: Int32(seconds * 1000)) else { return nil }
            return status < 0 ? .signalled(-status) : .exited(status)
        }
    }

    /// Its output until one line is there, or its end, or the time is over.
    public func readLine(seconds: Double = 10) throws -> String {
        var text: [UInt8] = []
        while text.last != 0x0a, waitReadable(output, milliseconds: Int32(seconds * 1000)) {
            let more = try readBytes(output, limit: 1)
            if more.isEmpty { break }
            text += more
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Its output until its end, or the time is over.
    public func readAll(seconds: Double = 30) throws -> String {
        var text: [UInt8] = []
        while waitReadable(output, milliseconds: Int32(seconds * 1000)) {
            let more = try readBytes(output, limit: 65536)
            if more.isEmpty { break }
            text += more
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What went wrong, where something else was expected.
public struct ProgramFailure: Error, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
}

/// Runs a script with /bin/sh -e as root and gives what it writes; throws where it fails or takes longer than `seconds`.
@discardableResult
public func shell(_ script: String, seconds: Double = 60) throws -> String {
    var start = ProgramStart("/bin/sh", ["-euc", script])
    start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
    start.input = 0
    start.readsOutput = true
    let program = try Program(start)
    let output = try program.readAll(seconds: seconds)
    let exit = try program.wait(seconds: 5)
    guard exit == .exited(0) else {
        throw ProgramFailure(description: "\(exit.map { "\($0)" } ?? "takes too long"): \(script)\n\(output)")
    }
    return output
}

/// Something else than a packet socket for a program's descriptor 0, and its other end; both are closed with it.
public final class TestInput: Sendable {
    public enum SocketType: Sendable { case stream, datagram }

    public let descriptor: Int32
    private let other: Int32

    private init(_ pair: [Int32]) {
        descriptor = pair[0]
        other = pair[1]
    }

    deinit {
        closeDescriptor(descriptor)
        closeDescriptor(other)
    }

    public static func pipe() throws -> TestInput { TestInput(try makePair(socketType: nil)) }
    public static func socket(_ type: SocketType) throws -> TestInput {
        TestInput(try makePair(socketType: type == .stream ? 1 : 2))
    }
}
