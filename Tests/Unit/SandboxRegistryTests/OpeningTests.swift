import Foundation
import GRDB
import Glibc
import Synchronization
import TestNode
import Testing

@testable import SandboxRegistry

@Suite("Opening the file")
struct OpeningTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func failure() -> RegistryError? {
        #expect(throws: RegistryError.self) { try Registry(path: directory.registry) }
    }

    @Test func aNewRegistryIsPrivateAndInWALMode() throws {
        let registry = try Registry(path: directory.registry)
        try registry.register(.sample("a"), [])
        for file in [directory.registry, directory.registry + "-wal", directory.registry + "-shm"] {
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(file)")
        }
        let other = try DatabaseQueue(path: directory.registry)
        #expect(try other.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try other.read { try Int.fetchOne($0, sql: "PRAGMA application_id") } == Schema.applicationID)
        #expect(try other.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } == Schema.version)
    }

    @Test func everyTableIsStrict() throws {
        _ = try Registry(path: directory.registry)
        let other = try DatabaseQueue(path: directory.registry)
        let loose = try other.read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT name FROM pragma_table_list
                    WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0
                    """)
        }
        #expect(loose.isEmpty)
    }

    /// As a registry is that SQLite before 3.37 has made: it is opened and used like any other.
    @Test func tablesOfAnOldSQLite() throws {
        #expect(!Schema.hasStrictTables("3.34.1") && !Schema.hasStrictTables("3.7.9"))
        #expect(Schema.hasStrictTables("3.37.0") && Schema.hasStrictTables("3.40.1") && Schema.hasStrictTables("4.0"))
        let tables = Schema.loose(Schema.tables + Schema.marks + Schema.lockFiles + Schema.clocks)
        #expect(!tables.contains("STRICT") && tables.contains(") WITHOUT ROWID;"))
        let old = try DatabaseQueue(path: directory.registry)
        try old.write { database in
            try database.execute(sql: Schema.loose(Schema.tables))
            try database.execute(
                sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1")
        }
        try old.close()
        let registry = try Registry(path: directory.registry)
        try registry.register(.sample("a"), [])
        try registry.verify()
        #expect(try registry.sandboxes().map(\.id) == ["a"])
    }

    @Test func aMissingDirectoryIsNamed() {
        let path = directory.path + "/none/registry.sqlite"
        let error = #expect(throws: RegistryError.self) { try Registry(path: path) }
        #expect(error == .noDirectory(path: path, directory: directory.path + "/none"))
        #expect(error?.description.contains("there is no directory \(directory.path)/none; make it") == true)
        #expect(throws: RegistryError.self) { try Registry(path: "") }
    }

    @Test func aDirectoryIsNoRegistry() throws {
        let path = directory.path + "/registry"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: RegistryError.notAFile(path: path)) { try Registry(path: path) }
    }

    @Test func whatIsNoDatabaseIsCorrupt() throws {
        let bytes = Data("this is no database, but longer than a header of one hundred bytes. ".utf8)
        let junk = bytes + bytes + bytes
        try junk.write(to: URL(fileURLWithPath: directory.registry))
        guard case .corrupt(let path, _) = failure() else { return #expect(Bool(false)) }
        #expect(path == directory.registry)
        #expect(failure()?.description.contains("discover | podreap register -") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: directory.registry)) == junk, "it is left as it was")
    }

    @Test func aDamagedPageIsFound() throws {
        do {
            let registry = try Registry(path: directory.registry)
            for number in 0..<50 { try registry.register(.sample("s\(number)"), []) }
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: directory.registry))
        #expect(whole.count > 10 * 4096)
        // From the second page on, where the list of tables goes on, and only where the tables themselves are.
        for first in [4096, 5 * 4096] {
            var bytes = whole
            for index in first..<bytes.count { bytes[index] = 0xff }
            try bytes.write(to: URL(fileURLWithPath: directory.registry))
            let error = #expect(throws: RegistryError.self) { try Registry(path: directory.registry).sandboxes() }
            guard case .corrupt = error else { return #expect(Bool(false), "\(String(describing: error))") }
            #expect(throws: RegistryError.self) { try Registry(path: directory.registry).verify() }
        }
    }

    @Test func aTruncatedFileIsFound() throws {
        do {
            let registry = try Registry(path: directory.registry)
            for number in 0..<50 { try registry.register(.sample("s\(number)"), []) }
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.registry))
        for length in [99, 100, 4096, bytes.count / 2] {
            try bytes.prefix(length).write(to: URL(fileURLWithPath: directory.registry))
            let error = #expect(throws: RegistryError.self) {
                let registry = try Registry(path: directory.registry)
                try registry.verify()
            }
            guard case .corrupt = error else {
                return #expect(Bool(false), "\(length) bytes: \(String(describing: error))")
            }
        }
    }

    @Test func anotherProgramsDatabaseIsLeftAlone() throws {
        let other = try DatabaseQueue(path: directory.registry)
        try other.write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
        #expect(failure() == .foreign(path: directory.registry))
        #expect(try other.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "delete")
    }

    @Test func aNewerSchemaIsRefused() throws {
        _ = try Registry(path: directory.registry)
        let other = try DatabaseQueue(path: directory.registry)
        try other.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
        #expect(failure() == .newerSchema(path: directory.registry, found: 99, known: Schema.version))
        #expect(failure()?.description.contains("has schema 99") == true)
    }

    @Test func aLockedRegistrySaysSo() throws {
        let registry = try Registry(path: directory.registry)
        let other = try DatabaseQueue(path: directory.registry)
        try other.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            #expect(throws: RegistryError.busy(path: directory.registry)) { try registry.register(.sample("a"), []) }
            #expect(try registry.sandboxes().isEmpty, "readers do not wait for a writer")
            try database.execute(sql: "COMMIT")
        }
        try registry.register(.sample("a"), [])
    }

    /// Whoever has it open would write to what nobody else reads, and know nothing of what others register.
    @Test(arguments: ["deleted", "moved", "another", "its directory", "a link"])
    func whatIsNotThereAnyMoreIsNotUsed(_ what: String) throws {
        let link = directory.path + "/link"
        let place = directory.path + "/d"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: place)
        let path = (what == "a link" ? link : place) + "/registry.sqlite"
        let registry = try Registry(path: path)
        try registry.register(.sample("a"), [])
        switch what {
        case "deleted": for end in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + end) }
        case "moved": try FileManager.default.moveItem(atPath: path, toPath: path + "-old")
        case "another":
            _ = try Registry(path: directory.registry)
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: directory.registry, toPath: path)
        case "its directory":
            try FileManager.default.moveItem(atPath: place, toPath: place + "-old")
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        default:
            try FileManager.default.createDirectory(atPath: place + "2", withIntermediateDirectories: false)
            try FileManager.default.removeItem(atPath: link)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: place + "2")
        }
        let error = RegistryError.replaced(path: path)
        #expect(throws: error) { try registry.register(.sample("b"), []) }
        #expect(throws: error) { try registry.sandboxes() }
        #expect(error.description.contains("systemctl restart podreapd"))
    }

    /// Nobody else can open it meanwhile: whoever has less time gives up sooner.
    @Test func openingHasADeadline() throws {
        _ = try Registry(path: directory.registry)
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        let other = try DatabaseQueue(path: directory.registry, configuration: configuration)
        let patient = Mutex<Result<Registry, RegistryError>?>(nil)
        let path = directory.registry
        try other.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            Thread.detachNewThread {
                let opened = Result { () throws(RegistryError) in try Registry(path: path) }
                patient.withLock { $0 = opened }
            }
            for time in [Duration.zero, .milliseconds(300)] {
                let error = #expect(throws: RegistryError.self) { try Registry(path: path, until: .now + time) }
                #expect(error == .busy(path: path))
                #expect(patient.withLock { $0 == nil })
            }
            try database.execute(sql: "COMMIT")
        }
        try other.close()
        #expect(soon { patient.withLock { $0 != nil } })
        #expect(throws: Never.self) { try patient.withLock { $0 }?.get() }
    }

    /// Needs root, as the tests of the whole do: only root can become the user who may not write.
    @Test func aFileOrDirectoryThatMayNotBeWrittenIsNamed() async throws {
        do {
            let registry = try Registry(path: directory.registry)
            try registry.register(.sample("a"), [])
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: directory.registry)
        await #expect(processExitsWith: .success) {
            [path = directory.registry as String, parent = directory.path as String] in
            try #require(setuid(65534) == 0)
            let error = #expect(throws: RegistryError.self) { try Registry(path: path) }
            #expect(error == .notWritable(path: parent, errno: EACCES))
            #expect(error?.description.hasPrefix("\(parent) cannot be written by this user") == true)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
        await #expect(processExitsWith: .success) { [path = directory.registry as String] in
            try #require(setuid(65534) == 0)
            #expect(throws: RegistryError.notWritable(path: path, errno: EACCES)) { try Registry(path: path) }
        }
    }
}
