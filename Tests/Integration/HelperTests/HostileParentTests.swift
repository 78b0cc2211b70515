import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What a parent without privileges leaves behind before it starts the helper.
    @Suite struct HostileParent {
        /// Limits by their numbers (setrlimit(2), x86-64): soft, hard.
        @Test(arguments: [
            ["alarm"], ["timer"], ["ignore"], ["block"], ["close"], ["open"], ["cwd", "/proc"], ["umask"],
            ["environment"], ["pending"], ["personality"], ["slack"], ["subreaper"], ["pass"], ["pass-pidfd"],
            ["leader"],
            ["limit", "1", "0", "-1"], ["limit", "4", "-1", "-1"], ["limit", "7", "10", "4096"],
            ["limit", "13", "0", "0"],
            [
                "alarm", "timer", "ignore", "block", "close", "open", "cwd", "/dev/shm", "umask", "environment",
                "pending",
                "personality", "slack", "subreaper", "pass", "leader",
            ],
        ])
        func doesNotMatter(_ options: [String]) throws {
            try TestNode.shared()
            try shell("mkdir -p \(TestNode.sandboxes)/hostile/a/b; touch \(TestNode.sandboxes)/hostile/a/f")
            let helper = try ProbePolicy.helper("status", "limits", start: Programs.hostileStart(options))
            // Longer than the timers.
            if options.contains("alarm") || options.contains("timer") { Thread.sleep(forTimeInterval: 1.2) }
            let status = NodeProcess.fields(try output(helper, "status"))
            #expect(!NodeProcess.hasSignals(status["SigBlk"]) && !NodeProcess.hasSignals(status["SigIgn"]))
            #expect(status["Umask"] == "0077")
            let core = try output(helper, "limits").split(separator: "\n").first { $0.contains("core file") } ?? ""
            #expect(core.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(core)")
            #expect(try helper.ask(.remove(.at(0, "hostile"))).facts == .count(4))
            let broker = NodeProcess(helper.process.pid)
            #expect(try broker.link("cwd") == "/")
            // 0 to 2, the unmounter's socket, the launcher's, and the one to the system log.
            #expect(try broker.descriptors().count == 6)
            for pid in try [broker.pid] + helper.processes() {
                #expect(try NodeProcess(pid).read("timerslack_ns") == "50000\n")
                #expect(try NodeProcess(pid).read("personality") == "00000000\n")
            }
        }

        /// A runtime that hangs is ended, however late waits may end where the helper comes from; and the runtime inherits none of it.
        @Test func slackRemovesNoDeadline() throws {
            let helper = try ProbePolicy.helper("sleep", start: Programs.hostileStart(["slack"]))
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep".utf8)))
            try helper.send(RequestPacket(id: 7, deadline: 500, request: .runtimeState(target)))
            let runtime = try runtime(of: helper)
            #expect(try NodeProcess(runtime).read("timerslack_ns") == "50000\n")
            #expect(try helper.receive()?.outcome == .timedOut)
            #expect(NodeProcess.waitForEnd(of: [runtime], seconds: 1) == [])
        }

        /// What a runtime leaves behind is not the helper's to reap.
        @Test func subreaper() throws {
            let helper = try ProbePolicy.helper("orphan", start: Programs.hostileStart(["subreaper"]))
            let processes = try helper.processes()
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("orphan".utf8)))
            #expect(try helper.ask(.runtimeState(target)).outcome == .done)
            #expect(try NodeProcess(helper.process.pid).children() == processes)
        }

        /// A parent that keeps the helper's end of the socket can have it refuse packets, and leaves it no descriptor.
        @Test func passingTurnedOnMeanwhile() throws {
            try TestNode.shared()
            try shell("mkdir -p \(TestNode.sandboxes)/pass")
            for _ in 0..<20 {
                let helper = try TestHelper(ungreeted: Programs.hostileStart(["pass-later"]))
                let broker = NodeProcess(helper.process.pid)
                for number in 0..<50 {
                    // The options are on at some of these packets.
                    Thread.sleep(forTimeInterval: 0.0005)
                    let request =
                        number == 0 ? Request.hello(VersionRange(minimum: 1, maximum: 1)) : .lookAt(try .at(0, "pass"))
                    try helper.send(RequestPacket(id: 9, deadline: 1000, request: request).encoded())
                    guard let outcome = try helper.receive()?.outcome else { break }
                    #expect(outcome == .done || outcome == .malformed(.unexpectedDescriptor))
                    if outcome != .done { break }
                    #expect(try broker.descriptors().count <= 8)
                }
            }
        }

        /// Whoever sits at the terminal can stop the broker, which has its caller's uid, but no launcher: a deadline is kept meanwhile.
        @Test func terminalStopsNoLauncher() throws {
            let key = "/mnt/programs/press-stop"
            defer { _ = try? shell("rm -f \(key)") }
            let helper = try ProbePolicy.helper("sleep", start: Programs.hostileStart(["terminal", key]))
            let launcher = try #require(try helper.launchers().first)
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep".utf8)))
            try helper.send(RequestPacket(id: 7, deadline: 2000, request: .runtimeState(target)))
            let runtime = try runtime(of: helper)
            try shell(": >\(key)")
            let broker = NodeProcess(helper.process.pid)
            for _ in 0..<5000 where try !broker.read("stat").contains(") T ") { Thread.sleep(forTimeInterval: 0.002) }
            #expect(try broker.read("stat").contains(") T "), "the terminal works")
            #expect(try !NodeProcess(launcher).read("stat").contains(") T "))
            #expect(NodeProcess.waitForEnd(of: [runtime], seconds: 8) == [])
            helper.process.kill(SIGCONT)
            #expect(try helper.receive()?.outcome == .timedOut)
        }

        /// The runtime that hangs.
        private func runtime(of helper: TestHelper) throws -> Int32 {
            let launcher = try #require(try helper.launchers().first)
            for _ in 0..<1000 {
                if let runtime = try NodeProcess(launcher).children().first { return runtime }
                Thread.sleep(forTimeInterval: 0.002)
            }
            throw ProgramFailure(description: "the runtime does not start")
        }

        @Test(arguments: [
            (0, 3599, 3600), (1, 0, 4 << 20), (2, 64 << 20, 1 << 30), (3, 256 << 10, 1 << 20), (7, 10, 256),
            (9, 512 << 20, 2 << 30),
        ])
        func hardLimitTooLow(_ resource: Int, _ hard: Int, _ needed: Int) throws {
            let helper = try TestHelper(
                ungreeted: Programs.hostileStart(["limit", "\(resource)", "\(hard)", "\(hard)"]))
            #expect(
                try helper.receive()?.outcome
                    == .refused(.limitsTooLow, detail: Array("resource \(resource) needs \(needed)".utf8)))
            #expect(try helper.process.wait(seconds: 2) == .exited(1))
        }

        @Test func noMoreProcesses() throws {
            let helper = try TestHelper(ungreeted: Programs.hostileStart(["limit", "6", "0", "0"]))
            #expect(try helper.receive()?.outcome == .failed(Failure(errno: 11, call: .fork)))
            #expect(try helper.process.wait(seconds: 2) == .exited(1))
        }

        /// Without openat2(2), be it of a path or beneath a directory, nothing weaker is done instead.
        @Test(arguments: ["no-openat2", "no-openat2-beneath"]) func withoutOpenat2(_ what: String) throws {
            let helper = try TestHelper(ungreeted: Programs.hostileStart([what, "user", "61234"], asRoot: true))
            #expect(try helper.receive()?.outcome == .refused(.kernelTooOld, detail: []))
            #expect(try helper.process.wait(seconds: 2) == .exited(1))
        }
    }
}
