@testable import HelperOperations
@testable import HelperProtocol

extension FuzzTarget {
    /// A request that is read is written as the same bytes: no packet means what another means.
    static let request = FuzzTarget(name: "request") { bytes in
        let version = bytes.version
        guard let packet = try? RequestPacket(decoding: bytes.span, version: version) else { return }
        promise(
            packet.encoded(version: version) == bytes.written(packet.request.kind), "\(packet) is written differently")
        promise(bytes.count <= Limits.requestBytes && packet.id != 0 && packet.deadline > 0)
        promise(packet.request.version <= version)
    }

    /// The same of replies: the orchestrator does not trust the helper either.
    static let reply = FuzzTarget(name: "reply") { bytes in
        let version = bytes.version
        guard let reply = try? Reply(decoding: bytes.span, version: version) else { return }
        var again: [UInt8] = []
        reply.encode(into: &again, version: version)
        promise(again == bytes.written(reply.kind), "\(reply) is written differently")
    }

    /// What the launcher reads from the broker: its second check of verb, signal, deadline and id.
    static let command = FuzzTarget(name: "command") { bytes in
        if let end = try? RuntimeEnd(decoding: bytes, count: bytes.count) {
            promise(try! RuntimeEnd(decoding: end.encoded, count: RuntimeEnd.bytes) == end)
        }
        guard let command = try? RuntimeCommand(decoding: bytes) else { return }
        var again: [UInt8] = []
        command.encode(into: &again)
        promise(again.count == bytes.count && (try! RuntimeCommand(decoding: again)) == command)
        promise((1...Limits.deadlineMilliseconds).contains(command.milliseconds))
        promise((command.id != nil) == command.verb.hasContainer)
        if let id = command.id { promise(isContainerID(id.bytes.array)) }
        switch command.verb {
        case .kill(let signal, _), .signalCgroup(let signal, _, _): promise((1...64).contains(signal))
        case .signalProcesses(let signal):
            promise((1...64).contains(signal) && (1...Limits.cgroupProcesses).contains(command.processes.count))
            promise(command.processes.allSatisfy { (1...UInt32(Int32.max)).contains($0.pid) })
        case .state, .delete, .list: break
        }
        _ = command.arguments(
            Policy.RuntimePolicy(
                seen: Welcome.Runtime(name: InlineBytes(), stateRoot: InlineBytes(), hooks: false), path: InlineBytes())
        )
    }
}

extension [UInt8] {
    /// The protocol version that a packet is read in: its header's, where that is one.
    fileprivate var version: UInt16 { count > 5 && self[4] == 2 && self[5] == 0 ? 2 : 1 }

    /// Hello is read whatever version its header has, and written with this one's.
    fileprivate func written(_ kind: Kind) -> [UInt8] {
        guard kind == .hello else { return self }
        return Array(self[..<4]) + [UInt8(version), 0] + self[6...]
    }
}
