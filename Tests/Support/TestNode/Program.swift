internal import Foundation

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
    /// Our end of its input, or -1.
    private let input: Int32
    private let output: Int32
    private let state = State()
    private let unread = Unread()

    /// What changes, under one lock.
    private final class State: @unchecked Sendable {
        private let lock = NSLock()
        private var exit: Exit?
        private var socketClosed = false
        private var inputClosed = false

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

        func closeInput(_ body: () -> Void) {
            lock.withLock {
                if !inputClosed { body() }
                inputClosed = true
            }
        }
    }

    /// What was read of its output, and not given yet.
    private final class Unread: @unchecked Sendable {
        private let lock = NSLock()
        private var bytes: [UInt8] = []

        /// Gives so many bytes as `enough` counts once it does, or else all that comes until there is no more.
        func take(_ enough: ([UInt8]) -> Int?, reading more: () throws -> [UInt8]?) rethrows -> String {
            try lock.withLock {
                var count = enough(bytes)
                while count == nil, let read = try more(), !read.isEmpty {
                    bytes += read
                    count = enough(bytes)
                }
                let given = bytes.prefix(count ?? bytes.count)
                bytes.removeFirst(given.count)
                return String(decoding: given, as: UTF8.self)
            }
        }
    }

    public init(_ start: ProgramStart) throws {
        let isRead = start.output == .read || start.errors == .read
        let pipe = isRead ? try makePair(socketType: nil) : [-1, -1]
        let given = start.takesInput ? try makePair(socketType: nil) : [-1, -1]
        defer {
            closeDescriptor(pipe[1])
            closeDescriptor(given[0])
        }
        func descriptor(_ output: ProgramStart.Output, _ own: Int32) -> Int32 {
            switch output {
            case .discarded: -1
            case .read: pipe[1]
            case .shared: own
            }
        }
        let started = try startProgram(
            start, input: start.takesInput ? given[0] : start.input, output: descriptor(start.output, 1),
            errors: descriptor(start.errors ?? start.output, 2))
        pid = started.pid
        process = started.process
        socket = started.socket
        input = given[1]
        output = pipe[0]
    }

    /// Starts a script of /bin/sh.
    public convenience init(script: String) throws { try self.init(ProgramStart(script: script)) }

    deinit {
        kill()
        closeSocket()
        closeInput()
        _ = try? wait(seconds: 5)
        closeDescriptor(process)
        closeDescriptor(output)
    }

    public func kill(_ signal: Int32 = 9) { killProcess(process, signal) }

    public func closeSocket() { state.closeSocket { closeDescriptor(socket) } }

    /// Writes to its input, if it takes any. Returns whether it took all of it.
    @discardableResult
    public func write(_ text: String) -> Bool { writeBytes(input, Array(text.utf8)) }

    public func closeInput() { state.closeInput { closeDescriptor(input) } }

    /// How it ended; nil where it still runs after that time.
    public func wait(seconds: Double) throws -> Exit? {
        try state.exit {
            guard let status = try waitForEnd(process, milliseconds: Int32(seconds * 1000)) else { return nil }
            return status < 0 ? .signalled(-status) : .exited(status)
        }
    }

    /// Its output until one line is there, or its end, or the time is over.
    public func readLine(seconds: Double = 10) throws -> String {
        try unread.take({ $0.firstIndex(of: 0x0a).map { $0 + 1 } }, reading: { try more(seconds) })
    }

    /// Its output until its end, or the time is over.
    public func readAll(seconds: Double = 30) throws -> String {
        try unread.take({ _ in nil }, reading: { try more(seconds) })
    }

    /// Waits until all who have its output have closed it; false if the time is over first.
    public func awaitOutputEnd(seconds: Double) throws -> Bool {
        while let bytes = try more(seconds) { if bytes.isEmpty { return true } }
        return false
    }

    /// Runs a program to its end, and returns how it ended (nil: not within `seconds`) and what it wrote.
    public static func run(_ start: ProgramStart, seconds: Double = 60) throws -> (exit: Exit?, output: String) {
        var start = start
        if start.output == .discarded { start.output = .read }
        let program = try Program(start)
        program.closeInput()
        let output = try program.readAll(seconds: seconds)
        return (try program.wait(seconds: 5), output)
    }

    /// What there is of its output, when there is some: nothing at its end, nil if the time is over.
    private func more(_ seconds: Double) throws -> [UInt8]? {
        guard waitReadable(output, milliseconds: Int32(seconds * 1000)) else { return nil }
        return try readBytes(output, limit: 65536)
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
    let (exit, output) = try Program.run(ProgramStart(["/bin/sh", "-euc", script]), seconds: seconds)
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
