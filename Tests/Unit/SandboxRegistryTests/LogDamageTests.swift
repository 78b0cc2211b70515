import Foundation
import GRDB
import Glibc
import Testing

@testable import SandboxRegistry

/// SQLite drops what lies behind damage in its log, and says nothing.
@Suite("A damaged log", .serialized)
struct LogDamageTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var log: String { directory.registry + "-wal" }

    /// What a process leaves that is killed: registrations, and transactions after them in the log alone.
    private func leaveLog() async throws -> Data {
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.registry as String] in
            let registry = try Registry(path: path)
            for number in 0..<6 { try registry.register(.sample("s\(number)"), []) }
            for number in 0..<6 { try registry.markNotReady("s\(number)") }
            raise(SIGKILL)
        }
        let bytes = try Data(contentsOf: URL(filePath: log))
        try #require(bytes.count > 5 * 4096)
        return bytes
    }

    private func damage(_ bytes: Data, at index: Int) throws {
        var bytes = bytes
        bytes[index] ^= 0x10
        try bytes.write(to: URL(filePath: log))
    }

    /// In a page, in the header of a frame, in that of the log.
    @Test(arguments: [32 + 24 + 100, 32 + 3, 32 + 20, 17, 25]) func isSaid(_ index: Int) async throws {
        let bytes = try await leaveLog()
        try damage(bytes, at: index)
        do {
            let registry = try Registry(path: directory.registry)
            #expect(registry.warnings.count == 1)
            #expect(registry.warnings.first?.contains("log was found damaged") == true)
            #expect(try registry.sandboxes().map(\.id).sorted() == (0..<6).map { "s\($0)" })
            try registry.verify()
            try registry.markRemoving("s1")
        }
        // Everybody hears of it, until somebody has removed what was kept.
        let kept = directory.registry + "-wal-damaged"
        #expect(try Data(contentsOf: URL(filePath: kept)).count == bytes.count)
        #expect(try Registry(path: directory.registry).warnings.count == 1)
        try FileManager.default.removeItem(atPath: kept)
        #expect(try Registry(path: directory.registry).warnings.isEmpty)
    }

    /// Whole, or cut in the middle of a transaction, as a power loss leaves it: nothing is said.
    @Test(arguments: [0, 1, 100, 4096, 4120]) func isNotSaidOfWhatIsOnlyCut(_ missing: Int) async throws {
        let bytes = try await leaveLog()
        try bytes.dropLast(missing).write(to: URL(filePath: log))
        let registry = try Registry(path: directory.registry)
        #expect(registry.warnings.isEmpty)
        #expect(try registry.sandboxes().count == 6)
    }

    @Test func theLastTransactionMayBeTorn() async throws {
        let bytes = try await leaveLog()
        try damage(bytes, at: bytes.count - 50)
        #expect(try Registry(path: directory.registry).warnings.isEmpty)
    }

    /// While somebody reads, too, an acknowledged registration is in the file itself.
    @Test func whatIsAcknowledgedIsInTheFile() throws {
        let registry = try Registry(path: directory.registry)
        try registry.register(.sample("a"), [])
        let (path, copy) = (directory.registry, directory.path + "/copy.sqlite")
        try registry.read { database in
            _ = try String.fetchAll(database, sql: "SELECT id FROM sandbox")
            Thread.detachNewThread {
                // The copy has no log.
                guard (try? registry.register(.sample("b"), [])) != nil else { return }
                try? FileManager.default.copyItem(atPath: path, toPath: copy)
            }
            Thread.sleep(forTimeInterval: 0.3)
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while !FileManager.default.fileExists(atPath: copy), .now < deadline { Thread.sleep(forTimeInterval: 0.01) }
        #expect(try Registry(path: copy).sandboxes().map(\.id) == ["a", "b"])
    }
}
