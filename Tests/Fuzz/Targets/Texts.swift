import HelperProtocol
import NodeObservation

@testable import HelperOperations

extension FuzzTarget {
    /// helper.conf, and behind the first byte 0xff the passwd(5) that its callers are looked up in.
    static let policy = FuzzTarget(name: "policy") { bytes in
        let parts = bytes.split(separator: 0xff, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
        guard let policy = try? Policy(parsing: parts[0], users: parts.count > 1 ? parts[1] : []) else { return }
        promise(!policy.callers.isEmpty && !policy.callers.contains(.max))
        promise(!policy.roots.isEmpty)
        for path in policy.roots.map(\.path) + policy.runtimes.flatMap({ [$0.path, $0.seen.stateRoot] }) {
            let names = path.array.split(separator: 0x2f, omittingEmptySubsequences: false).map(Array.init)
            promise(names.count > 1 && names[0].isEmpty && names[1...].allSatisfy(isFileName))
        }
        for root in policy.roots {
            promise(root.minimumDepth > 0 && root.minimumDepth <= root.maximumDepth)
            promise(Int(root.maximumDepth) <= Limits.components)
            promise(root.kind.isNamespace == (root.names.count > 0))
        }
        // Whatever a policy allows, its Welcome fits a packet, and the orchestrator can read it.
        let welcome = Welcome(
            version: 3, release: InlineBytes(), missing: 0, roots: policy.roots, runtimes: policy.runtimes.map(\.seen))
        let reply = Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(welcome))
        var packet: [UInt8] = []
        reply.encode(into: &packet, version: 3)
        promise(packet.count <= Limits.replyBytes)
        promise((try? Reply(decoding: packet.span, version: 3)) == reply)
    }

    /// mountinfo: container-chosen names, and tables that the kernel would never write.
    static let mountinfo = FuzzTarget(name: "mountinfo") { bytes in
        for point in mountPoints(in: bytes, beneath: Array("/run/pods".utf8)) { promise(!point.isEmpty) }
        guard let table = try? MountTable.parse(bytes) else { return }
        let all = table.mounts(beneath: [0x2f])
        promise(all.count == table.mounts.count)
        var position: [Int: Int] = [:]
        for (index, mount) in all.enumerated() { position[mount.id] = index }
        let isTree = position.count == all.count && all.allSatisfy { $0.parentID < $0.id }
        for (index, mount) in all.enumerated() where isTree {
            // What is mounted on another comes before it.
            if let parent = position[mount.parentID] { promise(parent > index) }
        }
        for mount in table.mounts {
            promise(mount.components(beneath: [0x2f]) != nil)
            promise(table.mounts(beneath: mount.mountPoint).contains(mount))
        }
    }
}
