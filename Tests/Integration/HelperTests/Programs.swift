import Foundation
import TestNode

/// The C programs beside these tests, each compiled once.
enum Programs {
    static let probe = compile("probe", "-static -nostdlib -ffreestanding -fno-stack-protector -fno-builtin")
    static let hostile = compile("hostile")
    static let inject = compile("inject")
    static let kernelLog = compile("kernel-log")
    static let meanwhile = compile("meanwhile")
    static let meddle = compile("meddle")
    static let numbers = compile("numbers")
    static let silentFUSE = compile("silent-fuse")

    private static func compile(_ name: String, _ options: String = "") -> Result<String, any Error> {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/\(name).c").path()
        return Result { try TestPrograms.compile(source, options) }
    }

    /// A helper that a hostile parent starts.
    static func hostileStart(_ options: [String], asRoot: Bool = false) throws -> ProgramStart {
        var start = TestHelper.start
        start.program = try hostile.get()
        start.arguments = [start.program] + options + ["--", TestNode.helper]
        if asRoot {
            start.user = 0
            start.group = 0
            start.socketOwner = TestNode.caller
        }
        return start
    }

    /// Changes a tree until it ends.
    static func meddle(_ arguments: String...) throws -> Program {
        var start = ProgramStart(try meddle.get(), arguments)
        start.output = .read
        start.input = 0
        let program = try Program(start)
        _ = try program.readLine()
        return program
    }
}

/// A policy whose runtimes are programs of these tests; it has no other root than a sandbox root.
enum ProbePolicy {
    static let stateRoot = "/mnt/programs/state"

    /// The runtime `probe` under the filter of runc, or as `crun`, or with hooks allowed.
    static func text(hooks: Bool = false, crun: Bool = false) throws -> String {
        let program = try Programs.probe.get()
        if crun { try shell("mkdir -p /mnt/programs/as && cp -f \(program) /mnt/programs/as/crun") }
        return """
            caller = \(TestNode.caller)
            sandbox-root = \(TestNode.sandboxes)
            runtime = probe \(crun ? "/mnt/programs/as/crun" : program) \(stateRoot)\(hooks ? " hooks" : "")

            """
    }

    /// A greeted helper whose runtime does what container ids say; the state root has a container for each of `ids`.
    static func helper(
        _ ids: String..., hooks: Bool = false, crun: Bool = false, start: ProgramStart = TestHelper.start
    ) throws -> TestHelper {
        let text = try text(hooks: hooks, crun: crun)
        try shell("mkdir -p \(stateRoot); cd \(stateRoot); mkdir -p \(ids.joined(separator: " ")) .none")
        return try TestHelper(start, policy: text)
    }
}
