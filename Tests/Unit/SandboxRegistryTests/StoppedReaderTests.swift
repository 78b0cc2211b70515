import Foundation
import TestPods
import Testing

@testable import SandboxRegistry

/// A process that is stopped while it reads keeps SQLite from emptying its log.
@Suite("A stopped reader") struct StoppedReaderTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Each registration would wait for it for a second.
    @Test func holdsUpNobody() throws {
        let registry = try Registry(path: directory.registry)
        let reader = try StoppedReader(directory.registry, mebibytes: 0)
        defer { try? reader.end() }
        let began = ContinuousClock.now
        for number in 0..<40 {
            let id = "s\(number)"
            try registry.register(.sample(id), [])
            try registry.markRemoving(id)
            #expect(try registry.forgetSandbox(id, report: .sample(id)))
        }
        #expect(.now - began < .seconds(20))
        #expect(try registry.sandboxes() == [])
    }

    /// The log grows as long as it reads: who hears of the registry hears of that.
    @Test func isNamedWhenTheLogHasGrown() throws {
        let registry = try Registry(path: directory.registry)
        try registry.register(.sample("a"), [])
        let reader = try StoppedReader(directory.registry, mebibytes: 17)
        defer { try? reader.end() }
        let warning = try #require(registry.warnings.first)
        #expect(warning.contains("has grown to 17 MiB, because process \(reader.pid) keeps reading"), "\(warning)")
        #expect(try Registry(path: directory.registry).warnings == [warning])
        try reader.end()
        // The next ones who write empty the log.
        for _ in 0..<2 { try registry.keepReport(.sample("a")) }
        #expect(registry.warnings == [])
        #expect(try registry.sandboxes().map(\.id) == ["a"])
    }
}
