import Foundation
import TestNode
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

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
        guard case .silent(let child) = FilesystemProbe.ask(place, within: .milliseconds(200)) else {
            Issue.record("a deaf server answered")
            return
        }
        // It cannot be killed: the child is left behind until the server goes.
        let left = try #require(child)
        #expect(try ProcessStatus.of(pid: left)?.state == "D")
        #expect(
            FilesystemProbe.ask(place, within: .milliseconds(200)) == .silent(child: left),
            "one child waits for all who ask")
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
        try shell("mkdir -p /mnt/place/inner /mnt/plac /mnt/elsewhere")
        defer { _ = try? shell("rm -r /mnt/place /mnt/plac /mnt/elsewhere") }
        let search = PlaceSearch([Array("/mnt/place".utf8), Array("/mnt/plac".utf8)], in: try .current())
        func uses(_ script: String) throws -> [String] {
            let program = try Programs.script(script)
            defer { program.kill() }
            return try search.uses().uses.filter { $0.pid == program.pid }.map {
                "\($0.place) \($0.how) \(String(decoding: $0.path, as: UTF8.self))"
            }
        }
        #expect(try uses("cd /mnt/place/inner; echo ready; exec sleep 1000") == ["0 cwd /mnt/place/inner"])
        #expect(try uses("cd /mnt; exec 8</mnt/plac; echo ready; exec sleep 1000") == ["1 8 /mnt/plac"])
        #expect(try uses("cd /mnt/elsewhere; echo ready; exec sleep 1000") == [])
        // What it is called elsewhere does not matter, and a copy of the node's mounts is nobody's use of them.
        let bind = "mount --bind /mnt/place/inner /mnt/elsewhere"
        #expect(
            try uses("exec unshare -m sh -c '\(bind); cd /mnt/elsewhere; echo ready; exec sleep 1000'") == [
                "0 mount /mnt/elsewhere", "0 cwd /mnt/elsewhere",
            ])
        #expect(try uses("exec unshare -m sh -c 'echo ready; exec sleep 1000'") == [])
        #expect(try ProcessTable.pids().contains(worker.pid))
    }
}
