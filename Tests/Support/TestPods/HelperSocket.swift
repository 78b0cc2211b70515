internal import Foundation
public import TestNode

/// What a service manager does with podreap's socket unit for helpers, without one: Tests/Support/ServiceManager/listen.py.
public final class HelperSocket: Sendable {
    public let path: String
    public let program: Program

    /// Returns when it listens.
    ///
    /// - Parameter helper: What it starts; without file capabilities, which are not needed there.
    public init(helper: String = HelperSocket.helper) throws {
        path = "/mnt/helper-\(UUID().uuidString.prefix(8)).sock"
        try shell("install -m 0750 \(TestNode.helper) \(Self.helper)")
        let tree = URL(filePath: #filePath).appending(path: "../../../..").standardized.path()
        var start = ProgramStart(
            "/usr/bin/env",
            [
                "python3", "\(tree)/Tests/Support/ServiceManager/listen.py", "\(tree)/packaging/systemd", path,
                "\(PodNode.user)",
                helper,
            ])
        start.environment = ["PATH=\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"]
        program = try Program(start)
        for _ in 0..<500 where !FileManager.default.fileExists(atPath: path) {
            if let exit = try program.wait(seconds: 0) { throw PodNodeFailure("listen.py ended: \(exit)") }
            Thread.sleep(forTimeInterval: 0.01)
        }
    }

    public static let helper = "/mnt/libexec/plain-helper"

    /// The helpers that run now.
    public func helpers() throws -> [Int32] { try NodeProcess(program.pid).children() }

    public func end() throws {
        program.kill()
        _ = try program.wait(seconds: 5)
        try shell("rm -f \(path) \(Self.helper)")
    }
}
