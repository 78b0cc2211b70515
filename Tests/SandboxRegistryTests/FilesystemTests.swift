import Foundation
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
        #expect(try first.sandboxes() == [.sample("a")])
    }

    @Test func aReadOnlyFilesystemIsNamed() throws {
        _ = try Registry(path: filesystem.registry)
        try #require(Filesystem.remountReadOnly(filesystem.path))
        let error = #expect(throws: RegistryError.self) { try Registry(path: filesystem.registry) }
        #expect(error == .notWritable(path: filesystem.path, errno: EROFS))
        #expect(error?.description == "\(filesystem.path) cannot be written: its filesystem is mounted read-only")
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
