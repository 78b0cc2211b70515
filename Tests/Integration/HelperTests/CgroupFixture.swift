import Foundation
import HelperProtocol
import TestNode
import Testing

/// What the tests of signals in cgroups share.
protocol CgroupFixture {
    typealias Case = RealHelper.Container.Case
}

extension CgroupFixture {
    /// A shell that lives, a child that ignores TERM, and its child.
    static var family: [String] {
        [
            "/bin/busybox", "sh", "-c", "(trap '' TERM; sleep 5000 & sleep 5001; true) & exec sleep 5002",
        ]
    }

    /// Processes in a cgroup and beneath it, as root sees them.
    func living(_ directories: [String]) throws -> Set<Int32> {
        let lists = directories.map { "find \($0) -name cgroup.procs -exec cat {} + 2>/dev/null || true" }
        return Set(try shell(lists.joined(separator: "; ")).split(separator: "\n").compactMap { Int32($0) })
    }

    /// Waits until so many live there.
    func wait(for count: Int, _ directories: [String]) throws {
        let end = Date().addingTimeInterval(10)
        while try living(directories).count != count, Date() < end { usleep(1000) }
        try #require(try living(directories).count == count)
    }

    func expectGone(_ directories: [String], seconds: Double = 5) throws {
        let end = Date().addingTimeInterval(seconds)
        while try !living(directories).isEmpty, Date() < end { usleep(2000) }
        #expect(try living(directories) == [])
    }

    /// The policy's text, where the node has version 2 alone with a root for that.
    func policy(_ each: Case, mayKill: Bool = false) throws -> String {
        let node = try TestNode.shared()
        var text = node.policy
        if each.version2 { text += "cgroup-root = /sys/fs/cgroup/\(TestNode.cgroup) depth 1-2\n" }
        return mayKill ? text.replacing(/(cgroup-root = .*)/) { "\($0.1) kill" } : text
    }

    /// A container's cgroups beneath every root of this view, with their directories as this test sees them.
    func cgroups(
        _ name: String, _ each: Case, isExclusive: Bool = true
    ) throws -> (targets: [CgroupTarget], directories: [String]) {
        let node = try TestNode.shared()
        let components = name.split(separator: "/").map { Array($0.utf8) }
        var found: (targets: [CgroupTarget], directories: [String]) = ([], [])
        for (index, hierarchy) in node.hierarchies.enumerated() {
            let path = "\(hierarchy)/\(TestNode.cgroup)/\(name)"
            let isVersion2 = hierarchy.hasSuffix("/unified")
            guard isVersion2 || !each.version2, let entry = Entry.at(path) else { continue }
            let root =
                each.version2
                ? Int(TestNode.Root.cgroups) + node.hierarchies.count : Int(TestNode.Root.cgroups) + index
            found.targets.append(
                CgroupTarget(
                    place: try Place(root: UInt8(root), components: components),
                    identity: NodeIdentity(device: entry.device, inode: entry.inode, birth: 0),
                    isExclusive: isExclusive))
            found.directories.append(path)
        }
        try #require(!found.targets.isEmpty)
        return found
    }

    func kill(
        _ id: String, _ each: Case, _ targets: [CgroupTarget], signal: UInt8 = 9, only: NodeIdentity? = nil
    ) throws -> Request {
        let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array(id.utf8)))
        return .runtimeKillCgroups(target, .act(only: only), signal: signal, targets)
    }
}

extension CgroupTarget {
    var withoutClaim: CgroupTarget {
        CgroupTarget(place: place, identity: identity, isExclusive: false)
    }
}
