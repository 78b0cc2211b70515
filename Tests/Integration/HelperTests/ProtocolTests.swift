import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// A breach of the protocol is answered `malformed` and ends the helper; a refusal is answered, and it goes on.
    @Suite struct ProtocolBreaches {
        struct Breach: Sendable, CustomTestStringConvertible {
            var name: String
            var packet: [UInt8]
            var reason: Malformed
            var testDescription: String { name }
        }

        /// Unmount at root 0, `ab`: header of 24 bytes, then 00 01 02 61 62 00.
        private static func unmount(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            let body: [UInt8] = [0, 1, 2, 0x61, 0x62, 0]
            var packet = header(kind: 2, length: UInt8(body.count)) + body
            change(&packet)
            return packet
        }

        private static func header(kind: UInt8, length: UInt8) -> [UInt8] {
            [0x50, 0x44, 0x52, 0x50, 1, 0, kind, 0, 9, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 0x10, 0x27, 0, 0]
        }

        private static func packet(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
            header(kind: kind, length: UInt8(body.count)) + body
        }

        static let breaches: [Breach] = [
            Breach(name: "nothing", packet: [], reason: .truncated),
            Breach(name: "half a header", packet: Array(unmount { _ in }[..<12]), reason: .truncated),
            Breach(name: "magic", packet: unmount { $0[0] = 0x51 }, reason: .badMagic),
            Breach(name: "version 2 in version 1", packet: unmount { $0[4] = 2 }, reason: .badVersion),
            Breach(name: "kind 99", packet: unmount { $0[6] = 99 }, reason: .unknownKind),
            Breach(name: "a reply", packet: unmount { $0[7] = 0x80 }, reason: .unknownKind),
            Breach(name: "length too great", packet: unmount { $0[16] += 1 }, reason: .badLength),
            Breach(name: "length too small", packet: unmount { $0[16] -= 1 }, reason: .badLength),
            Breach(name: "id 0", packet: unmount { $0[8] = 0 }, reason: .badRequestID),
            Breach(
                name: "deadline 0", packet: unmount { $0.replaceSubrange(20..<22, with: [0, 0]) }, reason: .badDeadline),
            Breach(name: "deadline too great", packet: unmount { $0[23] = 1 }, reason: .badDeadline),
            Breach(name: "trailing byte", packet: packet(2, [0, 1, 2, 0x61, 0x62, 0, 0]), reason: .trailingBytes),
            Breach(name: "cut component", packet: packet(2, [0, 1, 9, 0x61, 0x62, 0]), reason: .truncated),
            Breach(name: "component ..", packet: packet(2, [0, 1, 2, 0x2e, 0x2e, 0]), reason: .badComponent),
            Breach(name: "component .", packet: packet(2, [0, 1, 1, 0x2e, 0]), reason: .badComponent),
            Breach(name: "component a/b", packet: packet(2, [0, 1, 3, 0x61, 0x2f, 0x62, 0]), reason: .badComponent),
            Breach(name: "component with NUL", packet: packet(2, [0, 1, 3, 0x61, 0, 0x62, 0]), reason: .badComponent),
            Breach(name: "empty component", packet: packet(2, [0, 1, 0, 0]), reason: .badComponent),
            Breach(
                name: "17 components",
                packet: packet(2, [0, 17] + (0..<17).flatMap { _ in [1, 0x61] as [UInt8] } + [0]),
                reason: .badPlace),
            Breach(name: "intent 3", packet: unmount { $0[29] = 3 }, reason: .badIntent),
            Breach(
                name: "flag 2", packet: packet(2, [0, 1, 1, 0x61, 2] + [UInt8](repeating: 1, count: 8) + [2]),
                reason: .badFlag),
            Breach(name: "container -x", packet: packet(5, [0, 2, 0x2d, 0x78]), reason: .badContainerID),
            Breach(name: "container a/b", packet: packet(5, [0, 3, 0x61, 0x2f, 0x62]), reason: .badContainerID),
            Breach(name: "container ..", packet: packet(5, [0, 2, 0x2e, 0x2e]), reason: .badContainerID),
            Breach(name: "signal 0", packet: packet(6, [0, 1, 0x61, 1, 0, 0]), reason: .badSignal),
            Breach(name: "signal 65", packet: packet(6, [0, 1, 0x61, 1, 65, 0]), reason: .badSignal),
            Breach(name: "no entries", packet: packet(4, [0, 1, 1, 0x61, 1, 0, 0, 0, 0, 0, 1]), reason: .badSlice),
            Breach(name: "share 1 of 1", packet: packet(4, [0, 1, 1, 0x61, 1, 1, 0, 0, 0, 1, 1]), reason: .badSlice),
            Breach(name: "too long", packet: [UInt8](repeating: 0x50, count: 4097), reason: .tooLong),
            Breach(name: "much too long", packet: [UInt8](repeating: 0, count: 60000), reason: .tooLong),
            Breach(name: "a second Hello", packet: packet(1, [1, 0, 1, 0]), reason: .outOfOrder),
        ]

        @Test(arguments: breaches) func malformed(_ breach: Breach) throws {
            let helper = try TestHelper(versions: VersionRange(minimum: 1, maximum: 1))
            try helper.send(breach.packet)
            try expectEnd(helper, breach.reason)
        }

        /// Before Hello nothing is answered: whole requests are out of order, others malformed as ever.
        @Test(arguments: breaches) func beforeHello(_ breach: Breach) throws {
            let helper = try TestHelper(ungreeted: TestHelper.start)
            if breach.reason == .outOfOrder {
                try helper.send(Self.unmount { _ in })
            } else {
                try helper.send(breach.packet)
            }
            try expectEnd(helper, breach.reason)
        }

        private func expectEnd(_ helper: TestHelper, _ reason: Malformed) throws {
            #expect(try helper.receive()?.outcome == .malformed(reason))
            #expect(try helper.isClosed())
            #expect(try helper.process.wait(seconds: 2) == .exited(0))
        }

        @Test(arguments: [1, 2]) func descriptors(_ count: Int) throws {
            let helper = try TestHelper()
            try helper.send(Self.unmount { _ in }, descriptors: Array(repeating: 1, count: count))
            try expectEnd(helper, .unexpectedDescriptor)
        }

        @Test func noCommonVersion() throws {
            let helper = try TestHelper(ungreeted: TestHelper.start)
            let later = VersionRange(minimum: Limits.version + 1, maximum: Limits.version + 7)
            #expect(try helper.ask(.hello(later)).outcome == .unsupported(.spoken))
            #expect(try helper.isClosed())
            #expect(try helper.process.wait(seconds: 2) == .exited(0))
        }

        @Test func reversedVersions() throws {
            let helper = try TestHelper(ungreeted: TestHelper.start)
            try helper.send(Self.packet(1, [2, 0, 1, 0]))
            try expectEnd(helper, .badVersion)
        }

        /// The second of two requests in flight ends the helper, and the runtime that the first has started.
        @Test func twoInFlight() throws {
            let helper = try ProbePolicy.helper("sleep")
            let pids = try [helper.process.pid] + helper.processes()
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep".utf8)))
            try helper.send(RequestPacket(id: 7, deadline: 60_000, request: .runtimeState(target)))
            try helper.send(RequestPacket(id: 8, deadline: 60_000, request: .runtimeState(target)))
            #expect(try helper.receive(seconds: 2)?.outcome == .malformed(.pipelined))
            #expect(NodeProcess.waitForEnd(of: pids, seconds: 1) == [])
        }

        /// The same without a runtime: the second request comes while the helper works on the first.
        @Test func twoInFlightWithoutARuntime() throws {
            let helper = try TestHelper()
            let tree = "\(TestNode.sandboxes)/busy"
            try shell("mkdir \(tree); cd \(tree); seq 20000 | xargs touch")
            defer { clear(tree) }
            for id: UInt64 in [7, 8] {
                try helper.send(RequestPacket(id: id, deadline: 20_000, request: .remove(.at(0, "busy"))))
            }
            try expectEnd(helper, .pipelined)
        }

        @Test(arguments: [
            (Rule.unknownRoot, Request.unmount(try! .at(99, "x"), .look)),
            (.unknownRoot, .remove(try! .at(255, "x"))),
            (.unknownRoot, .deleteNamespace(try! .at(77, "x"), .act(only: nil))),
            (.wrongRootKind, .unmount(try! .at(TestNode.Root.netns, "sample-x"), .act(only: nil))),
            (.wrongRootKind, .unmount(try! .at(TestNode.Root.cgroups, "x"), .act(only: nil))),
            (.wrongRootKind, .deleteNamespace(try! .at(0, "sample-x"), .act(only: nil))),
            (.wrongRootKind, .remove(try! .at(TestNode.Root.netns, "sample-x"))),
            (.wrongDepth, .remove(try! .at(0, "a", "b"))), (.wrongDepth, .remove(Place(root: 0))),
            (.wrongDepth, .remove(try! .at(1, "a", "b", "c"))),
            (.wrongDepth, .unmount(Place(root: 0), .act(only: nil))),
            (.wrongDepth, .deleteNamespace(try! .at(TestNode.Root.netns, "sample-x", "y"), .look)),
            (.nameNotAllowed, .deleteNamespace(try! .at(TestNode.Root.netns, "admins-own"), .act(only: nil))),
            (.unknownRuntime, .runtimeList(runtime: 3)),
            (.unknownRuntime, .runtimeState(RuntimeTarget(runtime: 200, id: try! ContainerID([0x61])))),
        ])
        func refusalsAreNoEnd(_ rule: Rule, _ request: Request) throws {
            let helper = try TestHelper()
            #expect(try helper.ask(request).outcome == .refused(rule, detail: []))
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
        }
    }
}
