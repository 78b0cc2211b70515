import Foundation
import Glibc
import TestNode
import Testing

@testable import SandboxRegistry

/// A process that holds a sandbox's lock: podreap-load.
private final class Holder: Sendable {
    let answer: String
    private let program: Program
    var pid: Int32 { program.pid }

    init(_ registry: String, _ id: String) throws {
        program = try Self.load(["hold", registry, id])
        answer = try program.readLine()
    }

    static func load(_ arguments: [String]) throws -> Program {
        var start = ProgramStart([try TestPrograms.built("podreap-load")] + arguments)
        start.takesInput = true
        start.output = .read
        start.errors = .shared
        return try Program(start)
    }

    /// Ends it as nobody can prevent.
    func kill() throws {
        program.kill()
        _ = try program.wait(seconds: 10)
    }

    /// Lets it let go.
    func end() throws {
        program.closeInput()
        _ = try program.wait(seconds: 10)
    }
}

@Suite("The lock file", .serialized)
struct LockTests {
    let directory: TemporaryDirectory
    let registry: Registry
    private let own = LockHolder(pid: 1, startTime: 2, work: "remove")

    init() throws {
        directory = try TemporaryDirectory()
        registry = try Registry(path: directory.registry)
    }

    private var lockFile: String { directory.registry + "-lock" }

    @Test func oneAtATimeInOneProcessToo() throws {
        let first = try #require(try registry.lock("p", as: own))
        #expect(try registry.lock("p", as: own) == nil)
        #expect(try Registry(path: directory.registry).lock("p", as: own) == nil)
        #expect(try registry.isLocked("p") && !registry.isLocked("q"))
        let other = try registry.lock("q", as: own)
        #expect(other != nil)
        first.release()
        #expect(try registry.lock("p", as: own) != nil)
        #expect(try !registry.isLocked("p"), "it goes with its owner")
    }

    /// SQLite's own locks are the process's: they must not go where one of these does.
    @Test func sqliteKeepsItsLocks() throws {
        try registry.register(.sample("a"), [])
        for _ in 0..<3 { try #require(try registry.lock("a", as: own)).release() }
        let index = try FileManager.default.attributesOfItem(atPath: directory.registry + "-shm")
        let inode = try #require(index[.systemFileNumber] as? Int)
        let locks = try String(contentsOfFile: "/proc/locks", encoding: .utf8).split(separator: "\n")
        #expect(
            locks.contains { $0.contains("POSIX  ADVISORY  READ \(getpid()) ") && $0.contains(":\(inode) 128 128") })
    }

    @Test func endsWithItsProcess() throws {
        let holder = try Holder(directory.registry, "p")
        #expect(holder.answer == "held\n")
        #expect(try registry.lock("p", as: own) == nil)
        try holder.kill()
        #expect(try registry.lock("p", as: own) != nil)
    }

    /// Its name is known also while it cannot answer, and afterwards what it did not finish.
    @Test func tellsWhoHoldsIt() throws {
        try registry.register(.sample("p"), [])
        let holder = try Holder(directory.registry, "p")
        kill(holder.pid, SIGSTOP)
        let named = try #require(try registry.lockHolder(of: "p"))
        #expect(named.pid == holder.pid && named.startTime > 2 && named.work == "test")
        #expect(try registry.lockHolder(of: "q") == nil)
        #expect(try registry.abandonedWork().isEmpty)
        try holder.kill()
        #expect(try registry.lockHolder(of: "p") == nil)
        #expect(try registry.abandonedWork().map(\.sandbox.id) == ["p"])
        #expect(try registry.abandonedWork().map(\.work) == ["test"])
        try #require(try registry.lock("p", as: own)).release()
        #expect(try registry.abandonedWork().isEmpty)
    }

    /// More than there is room for lines: they hold each other up no less, only some have no name.
    @Test func manyAtOnce() throws {
        let ids = (0..<1500).map { "pod-\($0)" }
        raiseDescriptorLimit()
        let holds = try ids.map { try registry.lock($0, as: own) }
        #expect(holds.allSatisfy { $0 != nil })
        for id in ids { #expect(try registry.lock(id, as: own) == nil) }
        #expect(try ids.count { try registry.lockHolder(of: $0) == own } > 900)
        for hold in holds { hold?.release() }
        #expect(try ids.allSatisfy { try !registry.isLocked($0) })
        let text = try Data(contentsOf: URL(filePath: lockFile))
        #expect(text.count == LockSlots.count * LockSlots.size && text.allSatisfy { $0 == 0x20 || $0 == 0x0a })
    }

    @Test func nothingIsLostWhereManyWantIt() throws {
        let file = directory.path + "/number"
        try Data("0".utf8).write(to: URL(filePath: file))
        let counters = try (0..<6).map { _ in
            try Holder.load(["count", directory.registry, "p", file, "200"])
        }
        for process in counters { #expect(try process.wait(seconds: 60) == .exited(0)) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "1200")
    }

    // MARK: Other ways to the same registry

    @Test(arguments: ["file", "directory", "mount"]) func throughLinks(_ kind: String) throws {
        let other = try TemporaryDirectory()
        let path: String
        switch kind {
        case "file":
            path = other.path + "/link.sqlite"
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: directory.registry)
        case "directory":
            try FileManager.default.createSymbolicLink(atPath: other.path + "/d", withDestinationPath: directory.path)
            path = other.path + "/d/registry.sqlite"
        default:
            try #require(Filesystem.bind(directory.path, at: other.path), "mounting needs root")
            path = other.registry
        }
        defer { if kind == "mount" { Filesystem.detach(other.path) } }
        let linked = try Registry(path: path)
        try linked.register(.sample("a"), [])
        #expect(try registry.sandboxes().map(\.id) == ["a"])
        let holder = try Holder(path, "a")
        #expect(holder.answer == "held\n")
        #expect(try registry.lock("a", as: own) == nil && linked.lock("a", as: own) == nil)
        try holder.end()
        #expect(try registry.lock("a", as: own) != nil)
    }

    /// Who sees the registry's filesystem mounted read-only, and who may write, keep each other out by the same rule.
    @Test func besideWhoCannotWrite() throws {
        let other = try TemporaryDirectory()
        try registry.register(.sample("a"), [])
        try #require(Filesystem.bindReadOnly(directory.path, at: other.path), "mounting needs root")
        defer { Filesystem.detach(other.path) }
        let readOnly = try Registry(path: other.registry)
        #expect(throws: RegistryError.self) { try readOnly.markRemoving("a") }
        for (first, second) in [(directory.registry, readOnly), (other.registry, registry)] {
            let holder = try Holder(first, "a")
            #expect(holder.answer == "held\n")
            #expect(try second.isLocked("a") && second.lock("a", as: own) == nil)
            try holder.end()
            try #require(try second.lock("a", as: own)).release()
        }
    }

    /// Whoever deletes the lock file lets nobody in, neither for himself nor for those who come later.
    @Test func aDeletedFileLetsNobodyIn() throws {
        let holder = try Holder(directory.registry, "p")
        #expect(holder.answer == "held\n")
        for _ in 0..<2 {
            try FileManager.default.removeItem(atPath: lockFile)
            #expect(try registry.lock("p", as: own) == nil)
            #expect(try Registry(path: directory.registry).lock("p", as: own) == nil)
            // Others go on, and are known too.
            let second = try Holder(directory.registry, "q")
            #expect(second.answer == "held\n")
            try FileManager.default.removeItem(atPath: lockFile)
            #expect(try registry.lock("q", as: own) == nil)
            #expect(try Holder(directory.registry, "q").answer == "refused\n")
            try second.kill()
            #expect(try registry.lock("q", as: own) != nil)
        }
        try holder.kill()
        #expect(try registry.lock("p", as: own) != nil)
        #expect(FileManager.default.fileExists(atPath: lockFile))
    }

    // MARK: A full disk

    @Test(arguments: ["space", "inodes"]) func onAFullDisk(_ what: String) throws {
        let filesystem = try SmallFilesystem()
        let path = filesystem.registry
        let registry = try Registry(path: path)
        try registry.register(.sample("p"), [])
        try filesystem.fill(what)
        let holder = try Holder(path, "p")
        #expect(holder.answer == "held\n")
        for registry in [registry, try Registry(path: path)] {
            #expect(try registry.lock("p", as: own) == nil)
            #expect(try registry.lockHolder(of: "p")?.pid == holder.pid)
            #expect(try registry.lock("q", as: own) != nil)
        }
        try holder.kill()
        #expect(try registry.lock("p", as: own) != nil)
    }

    // MARK: Users

    /// What root makes in another's directory is his.
    @Test func belongsToTheRegistrysOwner() throws {
        unsafe chown(directory.registry, 61234, 61234)
        try FileManager.default.removeItem(atPath: lockFile)
        try #require(try registry.lock("p", as: own)).release()
        let owner = try FileManager.default.attributesOfItem(atPath: lockFile)
        #expect(owner[.ownerAccountID] as? Int == 61234 && owner[.posixPermissions] as? Int == 0o600)
    }

    @Test func linesReadBack() {
        let range = LockRange("p")
        let line = LockSlots.line(LockHolder(pid: .max, startTime: 1 << 60, work: "removeContainer"), range)
        #expect(line.count == LockSlots.size && line.last == 0x0a)
        let read = LockSlots.read(line[...])
        #expect(read?.hash == range.hash && read?.holder.work == "removeContainer" && read?.holder.startTime == 1 << 60)
        #expect(
            LockSlots.read(LockSlots.blank[...]) == nil && LockSlots.read([UInt8](repeating: 0, count: 64)[...]) == nil)
        #expect(Set((0..<10_000).map { LockRange("p\($0)").work }).count == 10_000)
    }
}
