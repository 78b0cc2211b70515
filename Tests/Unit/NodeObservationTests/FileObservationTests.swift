import Foundation
import Testing

@testable import NodeObservation

@Suite struct FileObservationTests {
    @Test func tellsADirectoryFromItsSuccessor() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        let path = base.path + "/x"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: base) }
        let first = try #require(try FileObservation.of(path))
        #expect(first.kind == .directory)
        #expect(first.isMountRoot == false)
        #expect(try FileObservation.of(path) == first)
        try FileManager.default.removeItem(atPath: path)
        #expect(try FileObservation.of(path) == nil)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #expect(try FileObservation.of(path) != first)
    }

    @Test func doesNotFollowALastSymbolicLink() throws {
        let link = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/proc")
        defer { try? FileManager.default.removeItem(atPath: link) }
        #expect(try FileObservation.of(link)?.kind == .symbolicLink)
    }

    @Test func knowsTheRootOfAMount() throws {
        let proc = try #require(try FileObservation.of("/proc"))
        #expect(proc.isMountRoot == true)
        #expect(proc.birth == 0)
        let mount = try #require(try MountTable.current().mounts.last { $0.mountPoint == Array("/proc".utf8) })
        #expect(proc.device == UInt64(mount.device.major) << 32 | UInt64(mount.device.minor))
        #expect(proc.inode == 1)
    }

    @Test func namesWhatCouldNotBeObserved() throws {
        let long = "/" + String(repeating: "x", count: 300)
        let error = #expect(throws: ObservationError.self) { try FileObservation.of(long) }
        #expect(error.map { "\($0)".hasPrefix("statx \(long): ") } == true)
        #expect(try FileObservation.of("/proc/self/status/none") == nil)
        #expect(try FileObservation.of("/proc\0x") == nil)
    }
}
