import Foundation
import TestNode
import Testing

/// The library's products, as a package of somebody else's sees them: no `package` access, and every import its own.
@Suite struct LibraryTests {
    @Test(arguments: ["README.md", "Sources/SandboxRemoval/SandboxRemoval.docc/SandboxRemoval.md"])
    func whatADocumentShowsCompiles(_ document: String) throws {
        let text = try String(contentsOfFile: "\(Tree.path)/\(document)", encoding: .utf8)
        let blocks = text.matches(of: #/```swift\n((?:.*\n)*?)```/#).map { String($0.1) }
        #expect(!blocks.isEmpty)
        for block in blocks { try expectCompiles(block) }
    }

    @Test func theExampleCompiles() throws {
        let directory = "\(Tree.path)/Tests/Support/LibraryExample"
        try expectCompiles(try String(contentsOfFile: "\(directory)/main.swift", encoding: .utf8))
    }

    /// Who could do this without holding the pod's lock would free a name that is still in use.
    @Test(arguments: [
        "markRemoving(id)", "markNotReady(id)", "forgetContainer(id)", "forgetSandbox(id, report: report)",
        "closeNamespace(id, of: id)", "register([], into: id)", "keepReport(report)", "isLocked(id)",
    ])
    func nobodyElseFreesANameOrForgetsAPod(_ call: String) throws {
        let (status, said) = try typecheck(
            """
            import SandboxRegistry
            func act(_ registry: Registry, _ id: String, _ report: StoredReport) throws { _ = try registry.\(call) }
            """)
        #expect(status != 0)
        #expect(said.contains("inaccessible due to 'package' protection level"), "\(said)")
    }

    private func expectCompiles(_ source: String) throws {
        let (status, said) = try typecheck(source)
        #expect(status == 0, "\(said)\n\(source)")
    }

    private func typecheck(_ source: String) throws -> (status: Int32, output: String) {
        let directory = try FileManager.default.url(
            for: .itemReplacementDirectory, in: .userDomainMask, appropriateFor: FileManager.default.temporaryDirectory,
            create: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "main.swift")
        try source.write(to: file, atomically: true, encoding: .utf8)
        let tree = Tree.path
        // What SwiftPM passes for C modules, which the library imports for itself.
        let maps = [
            "\(tree)/Sources/CSELinux", "\(tree)/Sources/CLinux/include", "\(tree)/Sources/CLinuxSystem/include",
            "\(try Tree.built.get())/../../checkouts/GRDB.swift/Sources/GRDBSQLite",
        ].flatMap { ["-Xcc", "-fmodule-map-file=\($0)/module.modulemap"] }
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/env")
        compiler.arguments =
            [
                "swiftc", "-typecheck", "-swift-version", "6", "-warnings-as-errors", "-package-name", "outsider",
                "-enable-upcoming-feature", "MemberImportVisibility", "-I", "\(try Tree.built.get())/Modules",
            ] + maps + [file.path(percentEncoded: false)]
        let output = Pipe()
        (compiler.standardOutput, compiler.standardError) = (output, output)
        try compiler.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        compiler.waitUntilExit()
        return (compiler.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}
