import Foundation
import Synchronization

@testable import HelperOperations
@testable import HelperProtocol

extension FuzzTarget {
    /// The broker itself, on its socket, with real directories beneath its roots and the answers of its launchers recorded
    /// in the input. Whatever comes, it answers as PROTOCOL.md says, and what lies outside the roots stays.
    static let broker = FuzzTarget(name: "broker") { bytes in
        tree.withLock { tree in
            tree.prepare()
            var session = BrokerSession(tree)
            var input = bytes[...]
            while let packet = RecordedPacket(from: &input), session.exchange(packet) {}
        }
    }

    private static let tree = Mutex(BrokerTree())

    static func removeBrokerTree() { tree.withLock { $0.remove() } }
}

/// What an input holds for each request: u8 flags, u16 length, the packet, and with `launcher` up to 14 bytes: a length and
/// the launcher's answer.
struct RecordedPacket {
    var packet: [UInt8]
    /// Sent at once with another copy of itself.
    var pipelined: Bool
    /// Sent with a descriptor.
    var descriptor: Bool
    var launcher: [UInt8]

    init?(from input: inout ArraySlice<UInt8>) {
        guard let flags = input.popFirst(), let low = input.popFirst(), let high = input.popFirst() else { return nil }
        let length = min(Int(low) | Int(high) << 8, Limits.requestBytes + 8, input.count)
        packet = Array(input.prefix(length))
        input = input.dropFirst(length)
        pipelined = flags & 0x0f == 1
        descriptor = flags & 0x0f == 2
        launcher = [UInt8](repeating: 0, count: RuntimeEnd.bytes)
        if flags & 0x10 != 0, let length = input.popFirst() {
            launcher = Array(input.prefix(Int(length % 14)))
            input = input.dropFirst(launcher.count)
            // Recorded when an answer had no count.
            if launcher.count == 8 { launcher += [0, 0, 0, 0] }
        }
        // A header that would be wrong in its magic or length alone is set right, so that more gets past it.
        guard flags & 0x20 != 0, packet.count >= Limits.headerBytes else { return }
        var header: [UInt8] = []
        let version: UInt16 = flags & 0x40 != 0 ? 2 : 1
        Header(kind: .hello, requestID: 1, last: 1000).encode(to: &header, reply: false, version: version)
        packet.replaceSubrange(0..<6, with: header[0..<6])
        Header.seal(&packet)
    }
}

/// One broker from Hello to its end.
struct BrokerSession: ~Copyable {
    private let tree: BrokerTree
    private let client: Descriptor
    private let launcherEnds: [ProcessLink]
    private var broker: Broker
    private var buffer = [UInt8](repeating: 0, count: Limits.replyBytes + 1)

    init(_ tree: BrokerTree) {
        self.tree = tree
        let orchestrator = socketPair()
        client = Descriptor(owning: orchestrator.0)
        var links: [ProcessLink] = []
        var ends: [ProcessLink] = []
        for _ in tree.policy.runtimes {
            let pair = socketPair()
            links.append(ProcessLink(Descriptor(owning: pair.0), pid: 0))
            ends.append(ProcessLink(Descriptor(owning: pair.1), pid: 0))
        }
        launcherEnds = ends
        broker = Broker(
            tree.policy, try! Privileges(), missing: [], orchestrator: Descriptor(owning: orchestrator.1),
            unmounter: nil, launchers: links, mountInfo: .none, audit: Audit(caller: 61234))
    }

    /// Sends a packet and checks the answer; false where the broker has ended.
    mutating func exchange(_ recorded: RecordedPacket) -> Bool {
        for end in launcherEnds { try! end.socket.send(recorded.launcher) }
        let memory = try! recorded.descriptor ? Descriptor.memory() : Descriptor.none
        for _ in 0..<(recorded.pipelined ? 2 : 1) { try! client.send(recorded.packet, memory) }
        var packet = [UInt8](repeating: 0, count: Limits.requestBytes + 1)
        var out: [UInt8] = []
        let version = max(broker.version, 1)
        let goesOn = try! broker.serveOne(&packet, &out)

        let received = try! client.receivePacket(into: &buffer, size: buffer.count)
        let spoken = max(broker.version, 1)
        guard let reply = try? Reply(decoding: buffer.span.extracting(first: received.count), version: spoken) else {
            fatalError("an answer that cannot be read: \(buffer[..<received.count])")
        }
        let request = try? RequestPacket(decoding: recorded.packet.span, version: version)
        if let request, !recorded.descriptor {
            promise(reply.answers(request), "\(reply) is no answer to \(request)")
        } else {
            promise(reply.kind == .hello && reply.requestID == 0, "\(reply)")
            guard case .malformed = reply.outcome else { fatalError("\(reply) to no request") }
        }
        switch reply.outcome {
        case .malformed, .unsupported: promise(!goesOn)
        default: promise(goesOn)
        }
        if request != nil, !recorded.descriptor, recorded.pipelined {
            promise(reply.outcome == .malformed(.pipelined), "\(reply) although two packets were sent")
        }
        tree.check(reply)
        checkCommands(request)
        return goesOn
    }

    /// What reached the launchers is what was asked for; what the broker did not read of theirs is taken away.
    private mutating func checkCommands(_ request: RequestPacket?) {
        for (index, end) in launcherEnds.enumerated() {
            if case .packet = try! end.socket.wait(milliseconds: 0) {
                let received = try! end.socket.receivePacket(into: &buffer, size: buffer.count)
                promise(received.first.isOpen && received.second.isOpen)
                let command = try! RuntimeCommand(decoding: Array(buffer[..<received.count]))
                promise(command.milliseconds == request?.deadline)
                switch request?.request {
                case .runtimeState(let target): promise(command.verb == .state && target.is(command.id, index))
                case .runtimeDelete(let target, .act): promise(command.verb == .delete && target.is(command.id, index))
                case .runtimeKill(let target, .act, let signal, let all):
                    promise(command.verb == .kill(signal: signal, all: all) && target.is(command.id, index))
                case .runtimeList(let runtime): promise(command.verb == .list && Int(runtime) == index)
                default: fatalError("\(command) for \(String(describing: request))")
                }
            }
            let link = broker.launchers[index]
            while case .packet = try! link.socket.wait(milliseconds: 0) {
                _ = try! link.socket.receivePacket(into: &buffer, size: buffer.count)
            }
        }
    }
}

extension RuntimeTarget {
    fileprivate func `is`(_ id: ContainerID?, _ index: Int) -> Bool { self.id == id && Int(runtime) == index }
}
