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
            ["environment"],
            ["limit", "1", "0", "-1"], ["limit", "4", "-1", "-1"], ["limit", "7", "10", "4096"],
            ["limit", "13", "0", "0"],
            ["alarm", "timer", "ignore", "block", "close", "open", "cwd", "/dev/shm", "umask", "environment"],
        ])
        func doesNotMatter(_ options: [String]) throws {
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
            #expect(try broker.descriptors().count <= 5)
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

        /// Without openat2(2) nothing weaker is done instead.
        @Test func withoutOpenat2() throws {
            let helper = try TestHelper(
                ungreeted: Programs.hostileStart(["no-openat2", "user", "61234"], asRoot: true))
            #expect(try helper.receive()?.outcome == .refused(.kernelTooOld, detail: []))
            #expect(try helper.process.wait(seconds: 2) == .exited(1))
        }

        @Test func withoutOpenat2BeneathDirectories() throws {
            try shell("mkdir -p \(TestNode.sandboxes)/old/d; touch \(TestNode.sandboxes)/old/f")
            let helper = try TestHelper(Programs.hostileStart(["no-openat2-beneath", "user", "61234"], asRoot: true))
            for request in try [
                Request.remove(.at(0, "old")), .lookAt(.at(0, "old")), .remove(.at(1, "old", "d")),
                .unmount(.at(0, "old", "d"), .look),
            ] {
                #expect(try helper.ask(request).outcome == .refused(.kernelTooOld, detail: []), "\(request)")
            }
            #expect(Entry.exists("\(TestNode.sandboxes)/old/f") && Entry.exists("\(TestNode.sandboxes)/old/d"))
            try shell("rm -r \(TestNode.sandboxes)/old")
        }
    }
}
