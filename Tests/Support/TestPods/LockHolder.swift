public import TestNode

/// Another process that holds a sandbox's lock, until it is ended.
public final class LockHolderProcess: Sendable {
    public let program: Program

    /// Returns when it holds the lock.
    public init(_ registry: String, _ id: String, work: String = "test") throws {
        program = try .holding(ProgramStart(try TestPrograms.built("podreap-load"), ["hold", registry, id, work]))
    }

    public func end() throws { try program.end() }
}
