import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// The C programs beside these tests, each compiled once.
enum Programs {
    static let deafFUSE = compile("deaf-fuse")
    static let carelessParent = compile("careless-parent")

    private static func compile(_ name: String) -> Result<String, any Error> {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/\(name).c").path()
        return Result { try TestPrograms.compile(source) }
    }

    /// A program that has said that it is ready.
    static func start(_ program: String, _ arguments: String...) throws -> Program {
        var start = ProgramStart(program, arguments)
        start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        start.input = 0
        return try .holding(start, says: "ready")
    }

    /// A script in a process of its own, which says `ready`.
    static func script(_ text: String) throws -> Program { try start("/bin/sh", "-euc", text) }
}

extension Explanation {
    func first(_ cause: Finding.Cause) throws -> Finding {
        try #require(findings.first { $0.cause == cause }, "\(cause) among \(findings.map(\.cause))")
    }

    func has(_ cause: Finding.Cause) -> Bool { findings.contains { $0.cause == cause } }
}

extension Orchestrator {
    /// The explanation of a registered pod, as root.
    func explain(_ pod: SamplePod, patience: Duration = .milliseconds(500)) throws -> Explanation {
        let sandbox = try #require(try registry.sandbox(pod.id))
        return try explain(sandbox, patience: patience)
    }
}

/// Options with which what is stuck is given up soon.
let impatient = RemovalOptions(timeout: .seconds(60), afterKill: .seconds(1))
