import Foundation
import GRDB
import Glibc
import Testing

@testable import SandboxRegistry

/// A filesystem of 512 KiB, unmounted when the test lets go of it. Needs root, as the tests of the whole do.
final class SmallFilesystem: Sendable {
    private let directory: TemporaryDirectory
    var path: String { directory.path }
    var registry: String { directory.registry }

    init() throws {
        directory = try TemporaryDirectory()
        try #require(Filesystem.mountTmpfs(at: directory.path, kibibytes: 512), "mounting needs root")
    }

    deinit { Filesystem.detach(directory.path) }

    func empty() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasPrefix("fill") {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    /// Leaves no `space`, or no `inodes`. What it makes for that begins with `fill`.
    func fill(_ what: String) throws {
        if what == "space" {
            _ = try SandboxRegistryTests.fill(path + "/fill")
        } else {
            for number in 0..<100 {
                guard FileManager.default.createFile(atPath: path + "/fill\(number)", contents: nil) else { return }
            }
            Issue.record("there are inodes left")
        }
    }
}

@Suite("Full and read-only filesystems")
struct FilesystemTests {
    let filesystem: SmallFilesystem

    init() throws { filesystem = try SmallFilesystem() }

    @Test func aFullFilesystemLetsRecordsBeReadAndSaysWhatItRefuses() throws {
        let path = filesystem.registry
        let sandbox = Sandbox.sample("a")
        try Registry(path: path).register(sandbox, [])
        let filling = try fill(filesystem.path + "/fill")

        let registry = try Registry(path: path)
        #expect(try registry.sandboxes() == [sandbox])
        let error = #expect(throws: RegistryError.self) { try registry.markRemoving("a") }
        #expect(error == .full(path: path))
        #expect(error?.description.contains("no space is left") == true)
        #expect(try registry.sandboxes() == [sandbox])
        #expect(throws: RegistryError.self) { try Registry(path: filesystem.path + "/other.sqlite") }

        // The removal made room: it ends as any other, in the same process.
        try FileManager.default.removeItem(atPath: filling)
        try registry.markRemoving("a")
        #expect(try registry.forgetSandbox("a", report: .sample("a")))
        try registry.verify()
    }

    /// While one process has the registry open, others find its shared memory there and need no more room.
    @Test func aFullFilesystemDoesNotLockTheOthersOut() async throws {
        let first = try Registry(path: filesystem.registry)
        try first.register(.sample("a"), [])
        _ = try fill(filesystem.path + "/fill")
        await #expect(processExitsWith: .success) { [path = filesystem.registry as String] in
            let second = try Registry(path: path)
            #expect(try second.sandboxes() == [.sample("a")])
        }
        // This process, too, opens it again: the locks that SQLite has meanwhile are the process's, and stay.
        let before = try locks()
        #expect(!before.isEmpty)
        for _ in 0..<3 { #expect(try Registry(path: filesystem.registry).sandboxes() == [.sample("a")]) }
        #expect(try locks() == before)
        #expect(try first.sandboxes() == [.sample("a")])
    }

    /// Of this process on the registry and its index, as `kind START END` of each.
    private func locks() throws -> Set<String> {
        let inodes = try ["", "-shm"].map { end in
            let found = try FileManager.default.attributesOfItem(atPath: filesystem.registry + end)
            return try #require(found[.systemFileNumber] as? Int)
        }
        let lines = try String(contentsOfFile: "/proc/locks", encoding: .utf8).split(separator: "\n")
        return Set(
            lines.map { $0.split(separator: " ").dropFirst() }.filter { fields in
                fields.contains("POSIX") && fields.contains("\(getpid())")
                    && inodes.contains { inode in fields.contains { $0.hasSuffix(":\(inode)") } }
            }.map { $0.joined(separator: " ") })
    }

    /// Also where the two other files are not there: an earlier podreap deleted them.
    @Test(arguments: ["space", "inodes"], [true, false])
    func nothingIsLeft(_ what: String, _ hasOtherFiles: Bool) throws {
        let path = filesystem.registry
        try Registry(path: path).register(.sample("a"), [])
        if !hasOtherFiles { for end in ["-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + end) } }
        try filesystem.fill(what)
        let registry = try Registry(path: path)
        let second = try Registry(path: path)
        for _ in 0..<2 {
            #expect(try registry.sandboxes() == [.sample("a")])
            #expect(try second.sandboxes() == [.sample("a")])
        }
        // With its files, and room in the file itself, it may even be written.
        do throws(RegistryError) { try registry.markRemoving("a") } catch { #expect(error == .full(path: path)) }
        try filesystem.empty()
        try registry.markRemoving("a")
        #expect(try second.sandboxes().map(\.state) == [.removing])
        #expect(try second.forgetSandbox("a", report: .sample("a")))
        try registry.verify()
    }

    /// With and without what SQLite has in its log alone.
    @Test(arguments: ["log", "no log", "no files"]) func aReadOnlyFilesystemIsRead(_ what: String) async throws {
        let path = filesystem.registry
        if what == "log" {
            // A process that is killed leaves its log.
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let registry = try Registry(path: path)
                try registry.register(.sample("a"), [])
                try registry.markNotReady("a")
                raise(SIGKILL)
            }
            #expect(!Registry.isMissingOrEmpty(path + "-wal"))
        } else {
            let registry = try Registry(path: path)
            try registry.register(.sample("a"), [])
            try registry.markNotReady("a")
        }
        if what == "no files" {
            for end in ["-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + end) }
        }
        try #require(Filesystem.remountReadOnly(filesystem.path))
        let registry = try Registry(path: path)
        #expect(try registry.sandboxes().map(\.state) == [.notReady])
        let error = #expect(throws: RegistryError.self) { try registry.markRemoving("a") }
        #expect(error == .notWritable(path: path, errno: EROFS))
        #expect(error?.description == "\(path) cannot be written: its filesystem is mounted read-only")
        let own = LockHolder(pid: getpid(), startTime: 1, work: "remove")
        let hold = try #require(try registry.lock("a", as: own))
        #expect(try registry.lock("a", as: own) == nil && Registry(path: path).lock("a", as: own) == nil)
        hold.release()
        try #require(Filesystem.remountWritable(filesystem.path))
        try registry.markRemoving("a")
        #expect(try Registry(path: path).sandboxes().map(\.state) == [.removing])
    }

    @Test func anEarlierRegistryIsReadWhereItCannotBeChanged() throws {
        let path = filesystem.registry
        do {
            let old = try DatabaseQueue(path: path)
            try old.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: Schema.tables)
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1")
            }
        }
        try #require(Filesystem.remountReadOnly(filesystem.path))
        let registry = try Registry(path: path)
        #expect(try registry.sandboxes().isEmpty)
        #expect(throws: RegistryError.self) { try registry.register(.sample("a"), []) }
    }

    /// What is read waits for nobody who writes, in this process either.
    @Test func readersDoNotWaitForAWriter() async throws {
        let registry = try Registry(path: filesystem.registry)
        try registry.register(.sample("a"), [])
        let seen = try registry.write { database in
            try database.execute(sql: "UPDATE sandbox SET state = 'removing'")
            let began = ContinuousClock.now
            let states = try registry.sandboxes().map(\.state)
            return (states, ContinuousClock.now - began)
        }
        #expect(seen.0 == [.ready] && seen.1 < .seconds(2))
        #expect(try registry.sandboxes().map(\.state) == [.removing])
    }
}

/// Writes until nothing fits any more.
func fill(_ path: String) throws -> String {
    try #require(FileManager.default.createFile(atPath: path, contents: nil))
    let file = try #require(FileHandle(forWritingAtPath: path))
    let block = Data(repeating: 0x78, count: 4096)
    for _ in 0..<1024 {
        do { try file.write(contentsOf: block) } catch { return path }
    }
    Issue.record("the filesystem did not fill up")
    return path
}
