import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// The removal of a state directory that the runtime cannot read.
    @Suite struct Forgetting {
        private func target(_ id: String) throws -> RuntimeTarget {
            RuntimeTarget(runtime: 0, id: try ContainerID(Array(id.utf8)))
        }

        private func identity(_ helper: TestHelper, _ id: String) throws -> NodeIdentity {
            guard case .container(let facts) = try helper.ask(.runtimeDelete(target(id), .look)).facts else {
                throw ProgramFailure(description: "no state directory")
            }
            return facts.directory
        }

        @Test(arguments: ["empty", "cut", "missing"]) func broken(_ how: String) throws {
            let container = try TestContainer("lost", stateRoot: "/mnt/node/runc")
            let helper = try container.helper()
            let pid = try shell("runc --root /mnt/node/runc state lost").firstMatch(of: /"pid": (\d+)/)!.1
            try shell("kill -9 \(pid); mkdir /mnt/node/runc/lost/notify; mkfifo /mnt/node/runc/lost/exec.fifo")
            #expect(NodeProcess.waitForEnd(of: [Int32(pid)!], seconds: 5) == [])
            switch how {
            case "empty": try shell(": >/mnt/node/runc/lost/state.json")
            case "cut": try shell("truncate -s 2000 /mnt/node/runc/lost/state.json")
            default: try shell("rm /mnt/node/runc/lost/state.json")
            }
            let found = try identity(helper, "lost")
            if how != "missing" {
                // What it is there for: the runtime fails for ever.
                #expect(
                    try helper.ask(.runtimeDelete(target("lost"), .act(only: found))).outcome
                        == .failed(Failure(errno: 0, call: .runtime)))
            }
            var other = found
            other.inode += 1
            #expect(
                try helper.ask(.runtimeForget(target("lost"), only: other)).outcome
                    == .refused(.identityMismatch, detail: []))
            #expect(try helper.ask(.runtimeForget(target("lost"), only: found)).outcome == .done)
            #expect(!Entry.exists("/mnt/node/runc/lost") && Entry.exists("/mnt/node/runc"))
            #expect(try helper.ask(.runtimeForget(target("lost"), only: found)).outcome == .alreadyDone)
        }

        @Test(arguments: ["runc", "crun"]) func notWhileItLives(_ runtime: String) throws {
            let container = try TestContainer("alive", runtime: runtime, stateRoot: "/mnt/node/\(runtime)")
            let helper = try container.helper()
            let target = RuntimeTarget(
                runtime: runtime == "runc" ? 0 : 1, id: try ContainerID(Array("alive".utf8)))
            guard case .container(let facts) = try helper.ask(.runtimeDelete(target, .look)).facts else {
                throw ProgramFailure(description: "no state directory")
            }
            let forget = Request.runtimeForget(target, only: facts.directory)
            #expect(try helper.ask(forget).outcome == .refused(.containerLives, detail: []))
            #expect(Entry.exists("/mnt/node/\(runtime)/alive"))
            try shell("kill -9 \(facts.pid)")
            #expect(NodeProcess.waitForEnd(of: [Int32(facts.pid)], seconds: 5) == [])
            #expect(try helper.ask(forget).outcome == .done)
            #expect(!Entry.exists("/mnt/node/\(runtime)/alive"))
        }

        private func state(of id: String, _ members: String) throws {
            try TestNode.shared()
            try shell(
                """
                mkdir /mnt/node/runc/\(id)
                echo '{"id":"\(id)",\(members)"created":""}' >/mnt/node/runc/\(id)/state.json
                """)
        }

        /// A process that may be the container's, as the state does not say when it began.
        @Test func notWithoutAStartTime() throws {
            var start = ProgramStart("/bin/sleep", ["60"])
            start.input = 0
            let other = try Program(start)
            try state(of: "undated", #""init_process_pid":\#(other.pid),"#)
            defer { clear("/mnt/node/runc/undated") }
            let helper = try TestHelper()
            let forget = Request.runtimeForget(try target("undated"), only: try identity(helper, "undated"))
            #expect(try helper.ask(forget).outcome == .refused(.containerLives, detail: []))
            other.kill()
            _ = try other.wait(seconds: 5)
            #expect(try helper.ask(forget).outcome == .done)
        }

        /// A thread of some process has by now the number that the container's had: that is no process, and keeps nobody.
        @Test func numberOfAThread() throws {
            var start = ProgramStart(try TestPrograms.leader.get())
            start.input = 0
            let other = try Program(start)
            var thread: Int32?
            while thread == nil {
                thread = try shell("ls /proc/\(other.pid)/task").split(separator: "\n").compactMap { Int32($0) }
                    .first { $0 != other.pid }
            }
            try state(of: "stale", #""init_process_pid":\#(thread!),"init_process_start":12345,"#)
            defer { clear("/mnt/node/runc/stale") }
            let helper = try TestHelper()
            let place = try Place.at(TestNode.Root.cgroups, "nobody")
            let cgroup = CgroupTarget(
                place: place, identity: NodeIdentity(device: 1, inode: 2, birth: 0), isExclusive: true)
            #expect(
                try helper.ask(.runtimeKillCgroups(target("nobody"), .act(only: nil), signal: 9, [cgroup])).outcome
                    == .alreadyDone, "not even the removal of another container")
            let forget = Request.runtimeForget(try target("stale"), only: try identity(helper, "stale"))
            #expect(try helper.ask(forget).outcome == .done)
        }

        /// A poststop hook is no more lost unsaid than with the runtime.
        @Test func notWithHooks() throws {
            let container = try TestContainer("hooked", stateRoot: "/mnt/node/runc", poststop: "true")
            let helper = try container.helper()
            let pid = try shell("runc --root /mnt/node/runc state hooked").firstMatch(of: /"pid": (\d+)/)!.1
            try shell("kill -9 \(pid)")
            #expect(NodeProcess.waitForEnd(of: [Int32(pid)!], seconds: 5) == [])
            let found = try identity(helper, "hooked")
            #expect(
                try helper.ask(.runtimeForget(target("hooked"), only: found)).outcome
                    == .refused(.hooksNotAllowed, detail: []))
            #expect(Entry.exists("/mnt/node/runc/hooked"))
        }
    }
}
