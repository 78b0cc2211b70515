@testable import HelperOperations
@testable import HelperProtocol

extension FuzzTarget {
    /// A runtime's state file: what is read of it fits an answer, and is read the same from what that answer says.
    static let state = FuzzTarget(name: "state") { bytes in
        let id = try! ContainerID(Array("a".utf8))
        let node = NodeIdentity(device: 1, inode: 2, birth: 3)
        for form in [ContainerFacts.State.runc, .crun] {
            let facts = ContainerFacts(directory: node, reading: bytes, as: form, of: id)
            promise(facts.state == form || facts == ContainerFacts(directory: node, state: .notUnderstood))
            var packet: [UInt8] = []
            let reply = Reply(kind: .runtimeKill, requestID: 1, outcome: .done, facts: .container(facts))
            reply.encode(into: &packet, version: 2)
            promise(packet.count <= Limits.replyBytes)
            promise((try? Reply(decoding: packet.span, version: 2)) == reply)
        }
        let finds = namesPoststopHook(bytes, ifDamaged: false)
        promise(!finds || namesPoststopHook(bytes, ifDamaged: true))
        _ = ProcessStat(bytes)
        var json = JSON(bytes)
        while let token = try? json.token() {
            if case .string(let range) = token { promise((try? json.text(range).count <= range.count) != false) }
        }
    }
}
