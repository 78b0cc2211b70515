import CTestNode
import Foundation
import TestNode
import Testing

@testable import NodeObservation

@Suite struct CgroupTests {
    private let mountinfo = """
        31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
        35 31 0:32 /docker/c1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw

        """

    /// A podreapd that systemd has hardened sees what any other does.
    @Test func worksWithoutOpenat2() async throws {
        let members = await withCheckedContinuation { continuation in
            Thread {
                let refused = node_without_openat2()
                continuation.resume(
                    returning: Result {
                        #expect(refused == 0)
                        let cgroups = try FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")
                        return try Cgroup.members(of: cgroups.map { "/sys/fs/cgroup/\($0)" })
                    })
            }.start()
        }
        #expect(try !members.get().isEmpty)
    }

    @Test func findsADirectoryInEachHierarchy() throws {
        let hierarchies = CgroupHierarchies(try MountTable.parse(Array(mountinfo.utf8)))
        let file = "3:name=systemd:/pod/a\n2:memory:/docker/c1/pod\n1:cpu,cpuacct:/\n0::/x:y/z\n"
        let memberships = try CgroupHierarchies.memberships(Array(file.utf8), file: "cgroup")
        #expect(
            memberships.map { hierarchies.directory(of: $0)?.text } == [
                "/sys/fs/cgroup/systemd/pod/a", "/sys/fs/cgroup/memory/pod", "/sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/unified/x:y/z",
            ])
        #expect(hierarchies.roots.count == 3)
    }

    @Test(arguments: ["2:memory:/docker/c12", "2:memory:/elsewhere", "4:freezer:/a", "0::/../outside"])
    func leavesOutWhatIsNotMountedHere(_ line: String) throws {
        let hierarchies = CgroupHierarchies(try MountTable.parse(Array(mountinfo.utf8)))
        let membership = try #require(try CgroupHierarchies.memberships(Array(line.utf8), file: "cgroup").first)
        #expect(hierarchies.directory(of: membership) == nil)
    }

    @Test(arguments: ["x", "1:cpu", "1:cpu:", "1:cpu:relative"])
    func refusesAMembershipThatIsNone(_ bad: String) {
        #expect(throws: ObservationError.self) { try CgroupHierarchies.memberships(Array(bad.utf8), file: "cgroup") }
    }

    @Test func thisProcessIsAMemberOfItsCgroups() throws {
        let pid = ProcessInfo.processInfo.processIdentifier
        let directories = try CgroupHierarchies(.current()).directories(of: pid)
        #expect(!directories.isEmpty)
        for directory in directories {
            #expect(try Cgroup.existing([directory]) == [directory])
            #expect(try Cgroup.members(of: [directory]).contains(pid), "\(directory)")
        }
        #expect(try CgroupHierarchies(.current()).directories(of: .max).isEmpty)
    }

    /// A cgroup in a hierarchy of each version that is mounted, with a process in a child of it.
    @Test func watchesAProcessInAChildCgroup() async throws {
        let table = try MountTable.current()
        let roots = CgroupHierarchies(table).roots.filter { root in
            root.hasSuffix("/unified") || root.hasSuffix("/freezer") || root == "/sys/fs/cgroup"
        }
        try #require(!roots.isEmpty, "needs a mounted cgroup hierarchy")
        let parents = roots.map { "\($0)/podreap-observation-\(UUID().uuidString)" }
        let child = try Program(script: "exec sleep 60")
        defer {
            child.kill()
            for parent in parents { removeCgroups([parent + "/child", parent]) }
        }
        for parent in parents {
            // Fails with the path and "permission" without root.
            try FileManager.default.createDirectory(atPath: "\(parent)/child", withIntermediateDirectories: true)
            try Data("\(child.pid)\n".utf8).write(to: URL(filePath: "\(parent)/child/cgroup.procs"))
        }
        #expect(try Cgroup.members(of: parents) == [child.pid])
        #expect(try Cgroup.isEmpty(parents) == false)
        #expect(try Cgroup.isFrozen(parents.map { "\($0)/child" }) == false)
        if let freezer = parents.first(where: { $0.contains("/freezer/") }) {
            try Data("FROZEN\n".utf8).write(to: URL(filePath: "\(freezer)/freezer.state"))
            #expect(try Cgroup.isFrozen(["\(freezer)/child"]))
            try Data("THAWED\n".utf8).write(to: URL(filePath: "\(freezer)/freezer.state"))
        }
        let early = try await Cgroup.waitUntilEmpty(parents, until: .now + .milliseconds(30))
        #expect(early == [child.pid])
        child.kill()
        let left = try await Cgroup.waitUntilEmpty(parents, until: .now + .seconds(30))
        #expect(left.isEmpty)
        #expect(try Cgroup.isEmpty(parents))
    }

    @Test func whatDoesNotExistIsEmpty() throws {
        let none = "/sys/fs/cgroup/no-such-cgroup"
        #expect(try Cgroup.isEmpty([none]))
        #expect(try Cgroup.existing([none]).isEmpty)
        #expect(try Cgroup.isFrozen([none]) == false)
    }
}
