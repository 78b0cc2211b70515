internal import Foundation
public import TestNode

/// Another process that holds a sandbox's lock, until it is ended.
public final class LockHolderProcess: Sendable {
    public let program: Program

    /// Returns when it holds the lock.
    public init(_ registry: String, _ id: String, work: String = "test") throws {
        var start = ProgramStart(try Self.path.get(), ["hold", registry, id, work])
        start.readsOutput = true
        program = try Program(start)
        let line = try program.readLine()
        guard line == "held\n" else { throw PodNodeFailure("podreap-load says: \(line)") }
    }

    public func end() throws {
        program.kill()
        _ = try program.wait(seconds: 5)
    }

    private static let path = Result {
        guard let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) else {
            throw PodNodeFailure("The tests' bundle is not on the command line: run swift test")
        }
        return URL(filePath: bundle).deletingLastPathComponent().appending(path: "podreap-load").path()
    }
}
