internal import Foundation
public import TestNode

/// Another process that holds a sandbox's lock, until it is ended: one of the user's whose directory the registry lies in.
public final class LockHolderProcess: Sendable {
    public let program: Program

    /// Returns when it holds the lock.
    public init(_ registry: String, _ id: String, work: String = "test") throws {
        var start = ProgramStart(try Self.path.get(), ["hold", registry, id, work])
        start.readsOutput = true
        start.input = 0
        let directory = URL(filePath: registry).deletingLastPathComponent().path()
        let owner = try FileManager.default.attributesOfItem(atPath: directory)[.ownerAccountID] as? Int ?? 0
        (start.user, start.group) = (UInt32(owner), UInt32(owner))
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
        let built = URL(filePath: bundle).deletingLastPathComponent().appending(path: "podreap-load").path()
        // Where an unprivileged user can start it.
        try shell("touch /mnt/podreap-load && mount --bind '\(built)' /mnt/podreap-load")
        return "/mnt/podreap-load"
    }
}
