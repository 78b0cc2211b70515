import CTestNode
import Foundation
import TestNode
import Testing

@testable import NodeObservation

/// Who lives, as pidfds and cgroups tell.
@Suite(.serialized) struct LifeTests {
    private func life(_ pid: Int32, _ startTime: UInt64, _ inode: UInt64? = nil) throws -> ProcessLife {
        try .of(pid: pid, startTime: startTime, inode: inode)
    }

    private func wait(until isSo: () throws -> Bool) async throws {
        for _ in 0..<500 {
            if try isSo() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func aProcessIsKnownByItsStartOrItsPidfd() throws {
        let child = try Program(script: "exec sleep 60")
        let start = try #require(try ProcessStatus.startTime(of: child.pid))
        #expect(try life(child.pid, start) == .alive)
        #expect(try life(child.pid, start + 1) == .gone, "another has the pid")
        guard let handle = try ProcessHandle(pid: child.pid) else { throw ProcessTests.Missing() }
        guard let inode = handle.inode else { return }
        #expect(try life(child.pid, start + 1, inode) == .alive, "the pidfd's inode is exact")
        #expect(try life(child.pid, start, inode + 1) == .gone)
    }

    /// The first thread has ended and shows as a zombie while another one runs.
    @Test func aProcessLivesWithItsLastThread() async throws {
        let child = try Program(
            script:
                """
                exec python3 -c '
                import ctypes, threading, time
                threading.Thread(target=lambda: time.sleep(60)).start()
                ctypes.CDLL(None).syscall(60, 0)'
                """)
        let start = try #require(try ProcessStatus.startTime(of: child.pid))
        try await wait { try ProcessStatus.of(pid: child.pid)?.state == "Z" }
        #expect(try ProcessStatus.of(pid: child.pid)?.state == "Z")
        #expect(try life(child.pid, start) == .alive)
        child.kill()
        try await wait { try life(child.pid, start) != .alive }
        #expect(try life(child.pid, start) == .gone)
    }

    @Test(arguments: [
        ("77ab", true), ("crio-77ab.scope", true), ("cri-containerd-77ab.scope", true), ("77ab.scope", false),
        ("77abc", false), ("x77ab.scope", false), ("crio-77ab", false), ("crio-conmon-77ab.scope", false), ("", false),
    ])
    func cgroupsAreCalledAfterContainers(_ name: String, _ isIts: Bool) {
        #expect(Cgroup.isName(Array(name.utf8), of: "77ab") == isIts)
    }

    @Test func aCgroupsIdentityIsNotUsedAgain() throws {
        let root = try #require(try CgroupHierarchies(.current()).roots.last)
        let path = "\(root)/podreap-identity-\(ProcessInfo.processInfo.processIdentifier)"
        var seen: Set<UInt64> = []
        for _ in 0..<100 {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let identity = try #require(try Cgroup.identity(of: path))
            #expect(seen.insert(identity.inode).inserted)
            #expect(unsafe rmdir(path) == 0)
        }
        #expect(try Cgroup.identity(of: path) == nil)
    }

    /// Of a container of which nothing is recorded, the name of its cgroup and its root tell.
    @Test func aSearchFindsWhatIsAContainers() async throws {
        let id = "podreap-search-\(ProcessInfo.processInfo.processIdentifier)"
        let root = try #require(
            try CgroupHierarchies(.current()).roots.first { $0.hasSuffix("/pids") || $0 == "/sys/fs/cgroup" })
        let cgroup = "\(root)/\(id)"
        try FileManager.default.createDirectory(atPath: cgroup, withIntermediateDirectories: false)
        defer { removeCgroups([cgroup]) }
        let files = FileManager.default.temporaryDirectory.path + "/\(id)"
        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: files) }
        let search = ContainerSearch(id: id, directories: [files], cgroupRoots: [root], in: try .current())
        #expect(try search.processes() == [])

        let member = try Program(script: "echo $$ >\(cgroup)/cgroup.procs; exec sleep 60")
        let rooted = try Program(
            script:
                """
                mkdir -p \(files)/rootfs/bin; cp /bin/busybox \(files)/rootfs/bin/
                exec unshare --mount sh -c 'mount --bind \(files)/rootfs \(files)/rootfs
                exec chroot \(files)/rootfs /bin/busybox sleep 60'
                """)
        try await wait { try search.processes() == [member.pid, rooted.pid].sorted() }
        #expect(try search.processes() == [member.pid, rooted.pid].sorted())
        let owned = try search.owned(of: [member.pid, rooted.pid])
        #expect(owned.map(\.pid) == [rooted.pid])
        #expect(try owned.first?.startTime == ProcessStatus.startTime(of: rooted.pid))
        member.kill()
        rooted.kill()
        try await wait { try Cgroup.members(of: [cgroup]).isEmpty }
    }
}
