import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Whoever goes takes the others along, also while a runtime hangs.
    @Suite struct Ending {
        enum Who: CaseIterable { case broker, launcher, orchestrator }

        /// A helper whose runtime hangs, and all its processes: broker, launcher, runtime and the runtime's child.
        private func hanging() throws -> (helper: TestHelper, pids: [Int32]) {
            let helper = try ProbePolicy.helper("sleep-twice")
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep-twice".utf8)))
            try helper.send(RequestPacket(id: 9, deadline: 60_000, request: .runtimeState(target)))
            let launcher = try #require(helper.launchers().first)
            for _ in 0..<1000 {
                if let runtime = try NodeProcess(launcher).children().first,
                    let child = try NodeProcess(runtime).children().first
                {
                    return (helper, [helper.process.pid, launcher, runtime, child])
                }
                Thread.sleep(forTimeInterval: 0.002)
            }
            throw ProgramFailure(description: "the runtime does not start")
        }

        @Test(arguments: Who.allCases) func noneIsLeft(without who: Who) throws {
            let (helper, pids) = try hanging()
            switch who {
            case .broker: helper.process.kill()
            case .launcher: try shell("kill -KILL \(pids[1])")
            case .orchestrator: helper.closeSocket()
            }
            // The runtime's own child is no process of ours, but in its group; it goes with the group.
            let watched = who == .orchestrator ? pids : Array(pids.prefix(3))
            #expect(NodeProcess.waitForEnd(of: watched, seconds: 1) == [], "of \(pids)")
            _ = try? shell("kill -KILL \(pids[3])")
            #expect(try helper.process.wait(seconds: 1) == (who == .broker ? .signalled(9) : .exited(1)))
        }

        /// The same when they are idle.
        @Test(arguments: Who.allCases) func idle(without who: Who) throws {
            let helper = try TestHelper()
            let pids = try [helper.process.pid] + helper.processes()
            switch who {
            case .broker: helper.process.kill()
            case .launcher: try shell("kill -KILL \(pids[2])")
            case .orchestrator: helper.closeSocket()
            }
            if who == .launcher {
                // What does not need it goes on; what does ends the helper.
                #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
                try helper.send(RequestPacket(id: 5, deadline: 5000, request: .runtimeList(runtime: 0)))
            }
            #expect(NodeProcess.waitForEnd(of: pids, seconds: 1) == [], "of \(pids)")
        }

        /// What does not need the unmounter goes on; what does ends the helper, and no other answer is made up.
        @Test func withoutTheUnmounter() throws {
            let helper = try TestHelper()
            let pids = try [helper.process.pid] + helper.processes()
            try shell("kill -KILL \(pids[1])")
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
            #expect(try helper.ask(.runtimeList(runtime: 0)).outcome == .done)
            try helper.send(RequestPacket(id: 5, deadline: 5000, request: .unmount(.at(0, "x"), .look)))
            #expect(NodeProcess.waitForEnd(of: pids, seconds: 1) == [], "of \(pids)")
            #expect(try helper.isClosed())
        }

        /// Who closes the writing half has nothing more to say: that is no breach of the protocol, and a runtime is not left running.
        @Test func closedHalf() throws {
            let idle = try TestHelper()
            try idle.closeWritingHalf()
            #expect(try idle.process.wait(seconds: 2) == .exited(0))
            #expect(try idle.isClosed())
            let (helper, pids) = try hanging()
            try helper.closeWritingHalf()
            #expect(NodeProcess.waitForEnd(of: pids, seconds: 1) == [], "of \(pids)")
        }

        @Test func deadlineKillsTheRuntime() throws {
            let helper = try ProbePolicy.helper("sleep-twice", "status")
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep-twice".utf8)))
            let (seconds, answer) = try timed { try helper.ask(.runtimeState(target), milliseconds: 300) }
            #expect(answer.outcome == .timedOut)
            #expect((0.3..<2).contains(seconds), "\(seconds)")
            let launcher = try #require(helper.launchers().first)
            #expect(try NodeProcess(launcher).children() == [])
            #expect(try output(helper, "status") != "", "the helper goes on")
        }

        /// Output beyond 8 KiB comes in a sealed memfd; endless output ends the runtime at 4 MiB.
        @Test func muchOutput() throws {
            let helper = try ProbePolicy.helper("output-100000", "output-endless", "errors", "segv")
            func state(_ id: String) throws -> TestHelper.Answer {
                try helper.ask(.runtimeState(RuntimeTarget(runtime: 0, id: ContainerID(Array(id.utf8)))))
            }
            let much = try state("output-100000")
            #expect(much.outcome == .done)
            #expect(much.attachment?.count == 100_000)
            let endless = try state("output-endless")
            #expect(endless.attachment?.count == 4 << 20)
            guard case .runtime(let facts) = endless.facts else {
                throw ProgramFailure(description: "\(endless.reply)")
            }
            #expect(facts.status == -25, "SIGXFSZ")
            let errors = try state("errors")
            guard case .runtime(let failed) = errors.facts else { throw ProgramFailure(description: "\(errors.reply)") }
            #expect(errors.outcome == .failed(Failure(errno: 0, call: .runtime)))
            #expect(failed.status == 7)
            #expect(failed.errorOutput.count == 2048)
            #expect(String(decoding: failed.errorOutput, as: UTF8.self).hasSuffix("noise\nthe end"))
            guard case .runtime(let crashed) = try state("segv").facts else {
                throw ProgramFailure(description: "segv")
            }
            #expect(crashed.status == -11)
        }
    }
}
