import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Who may start a helper, and how.
    @Suite struct Start {
        @Test func greets() throws {
            let node = try TestNode.shared()
            let helper = try TestHelper(ungreeted: TestHelper.start)
            let welcome = try helper.greet()
            #expect(welcome.version == Limits.version && welcome.missing == 0 && welcome.features == 0)
            #expect(
                welcome.runtimes.map { String(decoding: $0.name.array, as: UTF8.self) } == [
                    "runc", "crun", "runc-hooks",
                ])
            #expect(welcome.runtimes.map { $0.hooks } == [false, false, true])
            #expect(welcome.roots.count == Int(TestNode.Root.cgroups) + node.hierarchies.count + 1)
            helper.closeSocket()
            #expect(try helper.process.wait(seconds: 2) == .exited(0))
        }

        enum Input: String, CaseIterable { case null, file, pipe, stream, datagram, closed }

        @Test(arguments: Input.allCases) func onlyOnAPacketSocket(_ input: Input) throws {
            try TestNode.shared()
            let redirected: [Input: String] = [
                .null: "</dev/null", .file: "</etc/passwd", .pipe: "", .stream: "", .datagram: "", .closed: "<&-",
            ]
            var start = ProgramStart("/bin/sh", ["-c", "exec \(TestNode.helper) \(redirected[input] ?? "")"])
            start.user = TestNode.caller
            start.group = TestNode.caller
            let inputs: TestInput? =
                switch input {
                case .pipe: try .pipe()
                case .stream: try .socket(.stream)
                case .datagram: try .socket(.datagram)
                default: nil
                }
            start.input = inputs?.descriptor ?? 0
            start.output = .read
            let program = try Program(start)
            #expect(try program.readAll(seconds: 5).contains("SOCK_SEQPACKET") == true)
            #expect(try program.wait(seconds: 2) == .exited(2))
        }

        /// Linux itself gives a program at least one argument since 5.18; before, the helper refuses.
        @Test func withoutArguments() throws {
            let helper = try TestHelper(ungreeted: Programs.hostileStart(["no-arguments"]))
            do {
                try helper.greet()
            } catch {
                #expect(try helper.process.wait(seconds: 2) == .exited(2))
            }
        }

        struct Users: Sendable {
            var user, socketOwner: UInt32
            var refusal: Rule?
        }

        @Test(arguments: [
            Users(user: 61234, socketOwner: 61234), Users(user: 61234, socketOwner: 0),
            Users(user: 0, socketOwner: 61234),
            Users(user: 0, socketOwner: 0), Users(user: 61234, socketOwner: 61235, refusal: .peerNotCaller),
            Users(user: 61235, socketOwner: 61234, refusal: .startedByOther),
            Users(user: 61235, socketOwner: 61235, refusal: .peerNotCaller),
            Users(user: 61235, socketOwner: 0, refusal: .startedByOther),
            Users(user: 0, socketOwner: 61235, refusal: .peerNotCaller),
        ])
        func users(_ users: Users) throws {
            var start = TestHelper.start
            start.user = users.user
            start.socketOwner = users.socketOwner
            let helper = try TestHelper(ungreeted: start)
            if let refusal = users.refusal {
                try expectRefusal(helper, refusal)
            } else {
                #expect(try helper.greet().missing == 0)
            }
        }

        @Test func outsideTheGroup() throws {
            var start = TestHelper.start
            start.user = 61235
            start.group = 61235
            #expect(throws: SystemCallError.self) { try TestHelper(ungreeted: start) }
        }

        @Test func onlyRootNamesAPolicy() throws {
            let node = try TestNode.shared()
            let policy = try TestPolicy(node.policy.replacing("runc-hooks", with: "named"))
            var start = TestHelper.start
            start.arguments.append(policy.file)
            try expectRefusal(try TestHelper(ungreeted: start), .startedByOther, policy.file)
            start.user = 0
            #expect(try TestHelper(ungreeted: start).greet().runtimes.last?.name.array == Array("named".utf8))
        }
    }
}

/// The refusal is the answer to a Hello that was not sent, and the end of the helper.
func expectRefusal(_ helper: TestHelper, _ rule: Rule, _ detail: String = "") throws {
    let reply = try #require(try helper.receive()).reply
    #expect(reply == Reply(kind: .hello, requestID: 0, outcome: .refused(rule, detail: Array(detail.utf8))))
    #expect(try helper.isClosed())
    #expect(try helper.process.wait(seconds: 2) == .exited(1))
}
