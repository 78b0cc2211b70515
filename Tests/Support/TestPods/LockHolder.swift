public import TestNode

/// Another process that holds a sandbox's lock, until it is ended.
public final class LockHolderProcess: Sendable {
    public let program: Program

    /// Returns when it holds the lock.
    public init(_ registry: String, _ id: String, work: String = "test") throws {
        var start = ProgramStart(try TestPrograms.built("podreap-load"), ["hold", registry, id, work])
        start.output = .read
        program = try Program(start)
        let line = try program.readLine()
        guard line == "held\n" else { throw PodNodeFailure("podreap-load says: \(line)") }
    }

    public func end() throws {
        program.kill()
        _ = try program.wait(seconds: 5)
    }
}
