import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// A signal to a container's init: sent without the runtime where runc's state names a living process, else by the runtime.
    /// Here that one only prints its arguments.
    @Suite struct InitSignals {
        private let victim: Program
        private let state = "\(ProbePolicy.stateRoot)/arguments/state.json"

        init() throws {
            var start = ProgramStart("/bin/sleep", ["60"])
            (start.user, start.group, start.input) = (4242, 4242, 0)
            victim = try Program(start)
        }

        private func record(id: String = "arguments", later: UInt64 = 0) throws -> String {
            let fields = try NodeProcess(victim.pid).read("stat").split(separator: " ")
            let started = try #require(UInt64(fields[21]))
            return
                #"{"id":"\#(id)","init_process_pid":\#(victim.pid),"init_process_start":\#(started + later),"created":""}"#
        }

        /// Whether the runtime was called.
        private func callsRuntime(signal: UInt8, all: Bool = false, _ prepare: () throws -> Void) throws -> Bool {
            let helper = try ProbePolicy.helper("arguments")
            defer { try? FileManager.default.removeItem(atPath: state) }
            try prepare()
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("arguments".utf8)))
            let answer = try helper.ask(.runtimeKill(target, .act(only: nil), signal: signal, all: all))
            #expect(answer.outcome == .done, "\(answer.reply)")
            guard case .runtime(let facts) = answer.facts else {
                throw ProgramFailure(description: "\(answer.reply)")
            }
            #expect(facts.status == 0 && facts.stateDirectory != nil)
            return text(answer).contains("kill\n")
        }

        @Test(arguments: [9, 15] as [UInt8]) func isSentToALivingInit(_ signal: UInt8) throws {
            #expect(try !callsRuntime(signal: signal) { try Data(record().utf8).write(to: URL(filePath: state)) })
            #expect(try victim.wait(seconds: 5) == .signalled(Int32(signal)))
        }

        enum Doubt: CaseIterable {
            case noState, cutOff, otherID, laterStart, link, stopped, frozen, all
        }

        @Test(arguments: Doubt.allCases) func isTheRuntimesWhereAnythingIsInDoubt(_ doubt: Doubt) throws {
            let calls = try callsRuntime(signal: 9, all: doubt == .all) {
                var text = try record(
                    id: doubt == .otherID ? "argument" : "arguments", later: doubt == .laterStart ? 1 : 0)
                if doubt == .cutOff { text.removeLast() }
                if doubt == .frozen {
                    let cgroup = "/mnt/node/frozen"
                    try shell("mkdir -p \(cgroup); echo 1 >\(cgroup)/cgroup.freeze")
                    text = text.replacing(#""created""#, with: #""cgroup_paths":{"":"\#(cgroup)"},"created""#)
                }
                let path = doubt == .link ? state + ".real" : state
                if doubt != .noState { try Data(text.utf8).write(to: URL(filePath: path)) }
                if doubt == .link {
                    try FileManager.default.createSymbolicLink(atPath: state, withDestinationPath: path)
                }
                if doubt == .stopped {
                    victim.kill(SIGSTOP)
                    #expect(try soon { try NodeProcess(victim.pid).read("stat").contains(") T ") })
                }
            }
            #expect(calls)
            #expect(try victim.wait(seconds: 0.05) == nil, "nothing was sent to it")
        }
    }
}
