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

        @Test func aLineForEveryAct() throws {
            let (helper, log) = try helper()
            let root = TestNode.sandboxes
            try shell(
                "mkdir -p \(root)/audit/x; mkdir '\(root)/odd name'; mkdir '\(root)/back\\slash'; touch \(TestNode.netns)/sample-a"
            )
            func ask(_ request: Request) throws -> String? {
                _ = try helper.ask(request)
                return try log.line()
            }
            #expect(
                try ask(.remove(.at(0, "audit")))
                    == "\(Self.prefix) operation=remove-directory place=\(root)/audit outcome=done")
            #expect(
                try ask(.remove(.at(0, "audit")))
                    == "\(Self.prefix) operation=remove-directory place=\(root)/audit outcome=already-done")
            let wrong = NodeIdentity(device: 1, inode: 77, birth: 0)
            #expect(
                try ask(.remove(.at(0, "odd name"), only: wrong))
                    == "\(Self.prefix) operation=remove-directory place=\(root)/odd\\x20name inode=77 outcome=refused rule=7"
            )
            #expect(
                try ask(.remove(.at(0, "back\\slash")))
                    == "\(Self.prefix) operation=remove-directory place=\(root)/back\\x5cslash outcome=done")
            #expect(
                try ask(.remove(.at(1, "a\n<85>forged", "b")))
                    == "\(Self.prefix) operation=remove-directory place=\(TestNode.containers)/a\\x0a<85>forged/b outcome=already-done"
            )
            #expect(
                try ask(.unmount(.at(0, "gone"), .act(only: MountIdentity(id: 5, unique: true))))
                    == "\(Self.prefix) operation=unmount place=\(root)/gone mount=5 outcome=already-done")
            #expect(
                try ask(.deleteNamespace(.at(TestNode.Root.netns, "sample-a"), .act(only: nil)))
                    == "\(Self.prefix) operation=delete-namespace place=\(TestNode.netns)/sample-a outcome=done")
            let target = RuntimeTarget(runtime: 3, id: try ContainerID([0x61]))
            #expect(
                try ask(.runtimeKill(target, .act(only: nil), signal: 15, all: true))
                    == "\(Self.prefix) operation=kill-all runtime=probe container=a signal=15 outcome=failed errno=0 call=16"
            )
            #expect(
                try ask(.runtimeDelete(target, .act(only: nil)))
                    == "\(Self.prefix) operation=delete runtime=probe container=a outcome=failed errno=0 call=16")
            #expect(
                try ask(.unmount(.at(200, "x"), .act(only: nil)))
                    == "\(Self.prefix) operation=unmount place=/x outcome=refused rule=1")
            _ = try shell("rmdir '\(root)/odd name'")
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
