import Foundation
import TestNode
import Testing

@testable import NodeObservation

/// What explanations and diagnoses are made of, as it is seen on this machine.
@Suite(.serialized) struct ObservationTests {
    @Test func seesAFrozenCgroupOfVersion2AndWhatItIsBeneath() throws {
        let hierarchies = CgroupHierarchies(try .current())
        let root = try #require(
            hierarchies.roots.first { FileManager.default.fileExists(atPath: "\($0)/cgroup.controllers") })
        let group = "\(root)/explain-\(UUID().uuidString)"
        try shell("mkdir -p \(group)/inner; echo 1 >\(group)/cgroup.freeze")
        defer { _ = try? shell("echo 0 >\(group)/cgroup.freeze; rmdir \(group)/inner \(group)") }
        let expected = FrozenCgroup(directory: group, file: "\(group)/cgroup.freeze", thaws: "0")
        #expect(try FrozenCgroup.above("\(group)/inner") == [expected])
        #expect(try FrozenCgroup.above(group) == [expected])
        #expect(try FrozenCgroup.above(root) == [])
        #expect(try FrozenCgroup.above("\(group)/nothing") == [expected])
    }

    @Test func seesOtherMountNamespacesOnce() throws {
        let holder = try Programs.script(
            "exec unshare --mount --propagation private sh -c 'mount -t tmpfs explain-test /mnt; echo ready; exec sleep 1000'"
        )
        let views = try MountNamespaceView.others()
        let own = views.filter { $0.pid == holder.pid }
        #expect(own.count == 1)
        #expect(own.first?.table.mounts.contains { $0.source == Array("explain-test".utf8) } == true)
        #expect(own.first?.inode == ProcessObservation.namespace("mnt", of: holder.pid))
        #expect(Set(views.compactMap(\.inode)).count == views.compactMap(\.inode).count)
        #expect(try !MountNamespaceView.others(without: [holder.pid]).contains { $0.pid == holder.pid })
    }

    @Test func asksFilesystemsWithoutHanging() throws {
        try TestNode.shared()
        #expect(FilesystemProbe.ask("/mnt") == .answers)
        #expect(FilesystemProbe.ask("/mnt/nothing") == .failed(errno: ENOENT))
        let place = "/mnt/deaf-\(UUID().uuidString)"
        try shell("mkdir \(place)")
        let server = try Programs.start(try Programs.deafFUSE.get(), place)
        guard case .silent(let child) = FilesystemProbe.ask(place, milliseconds: 200) else {
            Issue.record("a deaf server answered")
            return
        }
        // It cannot be killed: the child is left behind until the server goes.
        let left = try #require(child)
        #expect(try ProcessStatus.of(pid: left)?.state == "D")
        #expect(
            FilesystemProbe.ask(place, milliseconds: 200) == .silent(child: left), "one child waits for all who ask")
        server.kill()
        #expect(try soon { try ProcessStatus.of(pid: left)?.state == "Z" })
        #expect(FilesystemProbe.ask(place) == .failed(errno: ENOTCONN))
        #expect(try ProcessStatus.of(pid: left) == nil, "it was reaped")
        try shell("umount -l \(place)")
    }

    @Test func readsCapabilitiesOfFiles() throws {
        // Revision 2, effective, permitted 21 and 40.
        let bytes: [UInt8] = [1, 0, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        #expect(FileCapabilities(bytes) == FileCapabilities(permitted: 1 << 21 | 1 << 40, effective: true))
        #expect(FileCapabilities(Array(bytes.prefix(11))) == nil)
        #expect(FileCapabilities([0, 0, 0, 9] + [UInt8](repeating: 0, count: 16)) == nil)
        #expect(FileCapabilities([]) == nil)
        try TestNode.shared()
        let installed = try #require(try InstalledFile.of(TestNode.helper))
        #expect(installed.mode == 0o750 && installed.owner == 0 && installed.group == TestNode.caller)
        #expect(installed.capabilities.map { String($0.permitted, radix: 16) } == "2001ea")
        #expect(try InstalledFile.of("/nowhere") == nil)
        #expect(try InstalledFile.of("/mnt")?.capabilities == nil)
    }

    @Test func readsThisProcess() throws {
        let process = try OwnProcess.current()
        #expect(process.user == 0)
        #expect(process.seesOthers)
        #expect(process.hasPrivateMounts == true)
        #expect(!process.noNewPrivileges)
        #expect(try ResourceLimit.current().map(\.name).contains("NOFILE"))
        #expect(try !KernelFeatures.current().cgroupVersions.isEmpty)
    }

    @Test func threadsThatWaitAndFilesInUseAreSeen() throws {
        let hierarchies = CgroupHierarchies(try .current())
        let worker = try Programs.script("cd /mnt; echo ready; exec sleep 1000")
        let seen = try #require(try ProcessObservation.of(pid: worker.pid, hierarchies))
        #expect(!seen.isWaiting && !seen.isZombie && !seen.isExiting)
        #expect(seen.parent == ProcessTable.own)
        #expect(seen.namespacePIDs == [worker.pid])
        #expect(FileUse.of(pid: worker.pid, beneath: [Array("/mnt".utf8)])?.map(\.how) == ["cwd"])
        #expect(FileUse.of(pid: worker.pid, beneath: [Array("/mn".utf8)])?.isEmpty == true)
        #expect(try ProcessTable.pids().contains(worker.pid))
    }
}
