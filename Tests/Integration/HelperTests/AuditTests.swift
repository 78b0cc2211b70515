import Glibc
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// The helper's own record in the system log.
    @Suite struct Audit {
        /// A helper whose /dev/log is ours.
        private func helper() throws -> (TestHelper, TestLog) {
            try TestNode.shared()
            try shell(
                "rm -rf /mnt/dev; mkdir /mnt/dev; mknod /mnt/dev/null c 1 3; chmod 666 /mnt/dev/null; mkdir -p /mnt/programs/state/a"
            )
            let log = try TestLog("/mnt/dev/log")
            try shell("chmod 666 /mnt/dev/log")
            var start = TestHelper.start
            start.binds = [("/mnt/dev", "/dev")]
            return (
                try TestHelper(
                    start,
                    policy: try TestNode.shared().policy
                        + "runtime = probe \(Programs.probe.get()) /mnt/programs/state\n"), log
            )
        }

        private static let prefix = "<85>podreap-helper: caller=61234"

        @Test func aLineBeforeEveryActAndOneAfter() throws {
            let root = TestNode.sandboxes
            // The helper has a mount namespace of its own, and sees what is mounted before it starts.
            try TestNode.shared()
            try shell("cd \(root); mkdir -p m b/n; mount -t tmpfs none m; mount -t tmpfs none b/n")
            defer { _ = try? shell("cd \(root); umount m b/n; rmdir m b/n b") }
            let (helper, log) = try helper()
            try shell(
                "mkdir -p \(root)/audit/x; mkdir '\(root)/odd name'; mkdir '\(root)/back\\slash'; touch \(TestNode.netns)/sample-a"
            )
            /// What a request leaves, without the part that all lines of it have.
            func ask(_ request: Request, _ common: String, _ location: SourceLocation = #_sourceLocation) throws
                -> [String]
            {
                _ = try helper.ask(request)
                var outcomes: [String] = []
                while let line = try log.line(seconds: 0.05) {
                    let start = "\(Self.prefix) \(common)outcome="
                    #expect(line.hasPrefix(start), sourceLocation: location)
                    outcomes.append(String(line.dropFirst(start.count)))
                }
                return outcomes
            }
            #expect(
                try ask(.remove(.at(0, "audit")), "operation=remove-directory place=\(root)/audit ") == [
                    "begun", "done",
                ])
            let wrong = NodeIdentity(device: 1, inode: 77, birth: 0)
            #expect(
                try ask(
                    .remove(.at(0, "odd name"), only: wrong),
                    "operation=remove-directory place=\(root)/odd\\x20name inode=77 ") == ["refused rule=7"])
            #expect(
                try ask(.remove(.at(0, "back\\slash")), "operation=remove-directory place=\(root)/back\\x5cslash ")
                    == ["begun", "done"])
            #expect(
                try ask(
                    .remove(.at(1, "a\n<85>forged", "b"), only: wrong),
                    "operation=remove-directory place=\(TestNode.containers)/a\\x0a<85>forged/b inode=77 ") == [])
            #expect(
                try ask(.unmount(.at(0, "m"), .act(only: nil)), "operation=unmount place=\(root)/m ") == [
                    "begun", "done",
                ])
            #expect(
                try ask(
                    .unmountBeneath(.at(0, "b"), only: nil, most: 1), "operation=unmount-beneath place=\(root)/b ")
                    == ["begun", "done"])
            #expect(
                try ask(
                    .deleteNamespace(.at(TestNode.Root.netns, "sample-a"), .act(only: nil)),
                    "operation=delete-namespace place=\(TestNode.netns)/sample-a ") == ["begun", "done"])
            let target = RuntimeTarget(runtime: 3, id: try ContainerID([0x61]))
            #expect(
                try ask(
                    .runtimeKill(target, .act(only: nil), signal: 15, all: true),
                    "operation=kill-all runtime=probe container=a signal=15 ") == ["begun", "failed errno=0 call=16"])
            #expect(
                try ask(.runtimeDelete(target, .act(only: nil)), "operation=delete runtime=probe container=a ")
                    == ["begun", "failed errno=0 call=16"])
            guard case .container(let facts) = try helper.ask(.runtimeDelete(target, .look)).facts else {
                throw ProgramFailure(description: "no state directory")
            }
            #expect(
                try ask(
                    .runtimeForget(target, only: facts.directory),
                    "operation=forget runtime=probe container=a inode=\(facts.directory.inode) ") == ["begun", "done"])
            #expect(
                try ask(.unmount(.at(200, "x"), .act(only: nil)), "operation=unmount place=/x ") == ["refused rule=1"])
            _ = try shell("rmdir '\(root)/odd name'")
        }

        /// Otherwise an orchestrator could fill the log with them, so that nothing else is in it.
        @Test func noLineForAnActOnNothing() throws {
            let (helper, log) = try helper()
            let mount = MountIdentity(id: 5, unique: true)
            let nobody = RuntimeTarget(runtime: 3, id: try ContainerID([0x62]))
            for request in try [
                Request.remove(.at(0, "nothing")), .unmount(.at(0, "nothing"), .act(only: mount)),
                .unmountBeneath(.at(0, "nothing"), only: nil, most: 1),
                .deleteNamespace(.at(TestNode.Root.netns, "sample-nothing"), .act(only: nil)),
                .runtimeKill(nobody, .act(only: nil), signal: 9, all: false), .runtimeDelete(nobody, .act(only: nil)),
            ] { #expect(try helper.ask(request).outcome == .alreadyDone) }
            #expect(try log.line(seconds: 0.1) == nil)
        }

        /// Whoever ends the helper in the middle of an act, as its caller may, ends no line.
        @Test func anActIsRecordedThoughTheHelperIsKilledMeanwhile() throws {
            let (helper, log) = try helper()
            let tree = "\(TestNode.sandboxes)/killed"
            try shell("mkdir \(tree); cd \(tree); seq 50000 | xargs touch")
            try helper.send(RequestPacket(id: 9, deadline: 60_000, request: .remove(.at(0, "killed"))))
            let line = try log.line()
            helper.process.kill(SIGKILL)
            #expect(line == "\(Self.prefix) operation=remove-directory place=\(tree) outcome=begun")
            try shell("rm -r \(tree)")
        }

        /// Its outcome is recorded before what was sent too early.
        @Test func anActIsRecordedThoughThePeerBreaksTheProtocol() throws {
            let (helper, log) = try helper()
            let tree = "\(TestNode.sandboxes)/early"
            try shell("mkdir \(tree); cd \(tree); seq 20000 | xargs touch")
            try helper.send(RequestPacket(id: 9, deadline: 60_000, request: .remove(.at(0, "early"))))
            try helper.send([1])
            let start = "\(Self.prefix) operation=remove-directory place=\(tree) outcome="
            #expect(try log.line() == start + "begun")
            #expect(try log.line(seconds: 10) == start + "done")
            #expect(try log.line() == "\(Self.prefix) outcome=malformed reason=19")
        }

        /// The log's reader is another process than before, at a socket of the same name.
        @Test func theLogMayStartAnew() throws {
            var (helper, log) = try helper()
            for name in ["one", "two"] {
                try shell("mkdir \(TestNode.sandboxes)/\(name)")
                #expect(try helper.ask(.remove(.at(0, name))).outcome == .done)
                #expect(try log.line()?.hasSuffix("/\(name) outcome=begun") == true)
                try shell("rm /mnt/dev/log")
                log = try TestLog("/mnt/dev/log")
                try shell("chmod 666 /mnt/dev/log")
            }
        }

        @Test func noLineForALook() throws {
            let (helper, log) = try helper()
            for request in try [
                Request.lookAt(.at(0)), .unmount(.at(0, "x"), .look),
                .deleteNamespace(.at(TestNode.Root.netns, "sample-x"), .look),
                .runtimeList(runtime: 3),
            ] { _ = try helper.ask(request) }
            #expect(try log.line(seconds: 0.1) == nil)
        }

        @Test func aLineForABreachOfTheProtocol() throws {
            let (helper, log) = try helper()
            try helper.send([1, 2, 3])
            #expect(try log.line() == "\(Self.prefix) outcome=malformed reason=1")
        }

        /// Nobody reads the log: the helper does not wait for it.
        @Test func fullLog() throws {
            let (helper, log) = try helper()
            for _ in 0..<2000 { #expect(try helper.ask(.remove(.at(0, "none"))).outcome == .alreadyDone) }
            _ = try log.line()
        }
    }
}
