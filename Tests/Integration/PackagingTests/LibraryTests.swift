import Foundation
import TestNode
import Testing

/// The library's products, as a package of somebody else's sees them: no `package` access, and every import its own.
@Suite struct LibraryTests {
    @Test(arguments: ["Sources/SandboxRemoval/SandboxRemoval.docc/SandboxRemoval.md"])
    func whatADocumentShowsCompiles(_ document: String) throws {
        let text = try String(contentsOfFile: "\(Tree.path)/\(document)", encoding: .utf8)
        let blocks = text.matches(of: #/```swift\n((?:.*\n)*?)```/#).map { String($0.1) }
        #expect(!blocks.isEmpty)
        for block in blocks { try expectCompiles(block) }
    }

    /// A package outside of this tree, which depends on it as on any other. SwiftPM takes what was built for the tests
    /// from their scratch directory, under an overlay that keeps what it adds apart.
    @Test func anotherPackageBuildsWithIt() throws {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let package = directory.path(percentEncoded: false)
        try """
        // swift-tools-version: 6.2
        import PackageDescription

        let package = Package(
            name: "outsider",
            dependencies: [.package(name: "podreap", path: "\(Tree.path)")],
            targets: [
                .executableTarget(
                    name: "outsider",
                    dependencies: [
                        .product(name: "SandboxRemoval", package: "podreap"),
                        .product(name: "SandboxRegistry", package: "podreap"),
                    ],
                    path: ".", sources: ["main.swift"],
                    swiftSettings: [
                        .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
                        .enableUpcomingFeature("MemberImportVisibility"),
                    ])
            ])
        """.write(to: directory.appending(path: "Package.swift"), atomically: true, encoding: .utf8)
        let script = """
            scratch=$(realpath '\(try Tree.built.get())/../..')
            cp '\(Tree.path)/Tests/Support/LibraryExample/main.swift' '\(Tree.path)/Package.resolved' .
            mkdir layers && mount -t tmpfs layers layers && mkdir layers/upper layers/work
            mount -t overlay -o lowerdir="$scratch",upperdir=layers/upper,workdir=layers/work overlay "$scratch"
            # swift test, if it runs this, holds the scratch directory's lock, which lies here.
            export TMPDIR="$PWD/layers"
            ${SWIFT:-swift} build --scratch-path "$scratch" --skip-update --disable-automatic-resolution
            "$scratch"/debug/outsider || echo "ended with $?"
            """
        let start = ProgramStart(
            ["/usr/bin/unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-euc"]
                + ["cd '\(package)'; \(script)"], environment: ProgramStart.ownEnvironment())
        let (exit, output) = try Program.run(start, seconds: 600)
        #expect(exit == .exited(0), "\(output)")
        #expect(output.hasSuffix("usage: library-example REGISTRY HELPER DOCUMENT\nended with 2\n"), "\(output)")
    }

    /// Who could do this without holding the pod's lock would free a name that is still in use.
    @Test(arguments: [
        "markRemoving(id)", "markNotReady(id)", "forgetContainer(id)", "forgetSandbox(id, report: report)",
        "closeNamespace(id, of: id)", "register([], into: id)", "keepReport(report)", "isLocked(id)",
    ])
    func nobodyElseFreesANameOrForgetsAPod(_ call: String) throws {
        let (exit, said) = try typecheck(
            """
            import SandboxRegistry
            func act(_ registry: Registry, _ id: String, _ report: StoredReport) throws { _ = try registry.\(call) }
            """)
        #expect(exit != .exited(0))
        #expect(said.contains("inaccessible due to 'package' protection level"), "\(said)")
    }

    private func expectCompiles(_ source: String) throws {
        let (exit, said) = try typecheck(source)
        #expect(exit == .exited(0), "\(said)\n\(source)")
    }

    private static func temporaryDirectory() throws -> URL {
        try FileManager.default.url(
            for: .itemReplacementDirectory, in: .userDomainMask, appropriateFor: FileManager.default.temporaryDirectory,
            create: true)
    }

    private func typecheck(_ source: String) throws -> (exit: Program.Exit?, output: String) {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "main.swift")
        try source.write(to: file, atomically: true, encoding: .utf8)
        let tree = Tree.path
        // What SwiftPM passes for C modules, which the library imports for itself.
        let maps = [
            "\(tree)/Sources/CSELinux", "\(tree)/Sources/CLinux/include", "\(tree)/Sources/CLinuxSystem/include",
            "\(try Tree.built.get())/../../checkouts/GRDB.swift/Sources/GRDBSQLite",
        ].flatMap { ["-Xcc", "-fmodule-map-file=\($0)/module.modulemap"] }
        let options = [
            "-typecheck", "-swift-version", "6", "-warnings-as-errors", "-package-name", "outsider",
            "-enable-upcoming-feature", "MemberImportVisibility", "-I", "\(try Tree.built.get())/Modules",
        ]
        let command = ["swiftc"] + options + maps + [file.path(percentEncoded: false)]
        return try Program.run(ProgramStart(command, environment: ProgramStart.ownEnvironment()), seconds: 120)
    }
}
