import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// runc and crun as they are, under the launcher's filter, on real containers.
    @Suite struct Runtimes {
        enum Runtime: String, CaseIterable {
            case runc, crun
            var number: UInt8 { self == .runc ? TestNode.Runtime.runc : TestNode.Runtime.crun }
            var stateRoot: String { "/mnt/node/\(rawValue)" }
        }

        @Test(arguments: Runtime.allCases) func wholeLife(_ runtime: Runtime) throws {
            let id = "life-\(runtime)"
            let container = try TestContainer(id, runtime: runtime.rawValue, stateRoot: runtime.stateRoot)
            let helper = try container.helper()
            let target = RuntimeTarget(runtime: runtime.number, id: try ContainerID(Array(id.utf8)))

            let state = try helper.ask(.runtimeState(target))
            #expect(state.outcome == .done)
            #expect(text(state).contains("\"status\": \"running\""))
            guard let pid = text(state).firstMatch(of: /"pid": (\d+)/).flatMap({ Int32($0.1) }) else {
                throw ProgramFailure(description: "no pid in \(text(state))")
            }
            #expect(NodeProcess(pid).isAlive)
            #expect(try text(helper.ask(.runtimeList(runtime: runtime.number))).contains(id))

            // Looks change nothing.
            let look = try helper.ask(.runtimeKill(target, .look, signal: 9, all: true))
            guard case (.done, .container(let facts)) = (look.outcome, look.facts) else {
                throw ProgramFailure(description: "\(look.reply)")
            }
            #expect(Entry.at("\(runtime.stateRoot)/\(id)")?.inode == facts.directory.inode)
            #expect(try helper.ask(.runtimeDelete(target, .look)).reply.facts == look.facts)
            #expect(NodeProcess(pid).isAlive)

            // Another container of that id is not killed for this one.
            var other = facts.directory
            other.inode += 1
            for request in [
                Request.runtimeKill(target, .act(only: other), signal: 9, all: true),
                .runtimeDelete(target, .act(only: other)),
            ] {
                #expect(try helper.ask(request).outcome == .refused(.identityMismatch, detail: []))
            }
            // A running container is not deleted, whatever the runtime's exit status.
            let early = try helper.ask(.runtimeDelete(target, .act(only: facts.directory)))
            #expect(early.outcome == .failed(Failure(errno: 0, call: .runtime)))
            #expect(NodeProcess(pid).isAlive)

            #expect(
                try helper.ask(.runtimeKill(target, .act(only: facts.directory), signal: 9, all: false)).outcome
                    == .done
            )
            #expect(NodeProcess.waitForEnd(of: [pid], seconds: 2) == [])
            let deletion = try helper.ask(.runtimeDelete(target, .act(only: facts.directory)))
            #expect(deletion.outcome == .done, "\(deletion.reply)")
            #expect(!Entry.exists("\(runtime.stateRoot)/\(id)"))
            for request in [
                Request.runtimeDelete(target, .act(only: nil)), .runtimeState(target), .runtimeDelete(target, .look),
                .runtimeKill(target, .act(only: nil), signal: 9, all: true),
            ] {
                let again = try helper.ask(request)
                #expect(again.outcome == .alreadyDone && again.facts == .none, "\(request)")
            }
        }

        @Test(arguments: Runtime.allCases) func killAll(_ runtime: Runtime) throws {
            let id = "all-\(runtime)"
            let container = try TestContainer(id, runtime: runtime.rawValue, stateRoot: runtime.stateRoot)
            let helper = try container.helper()
            let target = RuntimeTarget(runtime: runtime.number, id: try ContainerID(Array(id.utf8)))
            let answer = try helper.ask(.runtimeKill(target, .act(only: nil), signal: 9, all: true))
            #expect(answer.outcome == .done, "\(answer.reply)")
            for _ in 0..<100 where try !text(helper.ask(.runtimeState(target))).contains("stopped") {
                Thread.sleep(forTimeInterval: 0.01)
            }
            #expect(try helper.ask(.runtimeDelete(target, .act(only: nil))).outcome == .done)
        }

        /// A poststop hook would be lost in silence under the filter, so the deletion is refused; where the policy allows
        /// hooks, it runs.
        @Test func hooks() throws {
            try TestNode.shared()
            let canary = "/mnt/canary/hook-ran"
            for (root, number, allowed) in [
                ("/mnt/node/runc", TestNode.Runtime.runc, false),
                ("/mnt/node/hooks", TestNode.Runtime.runcWithHooks, true),
            ] {
                let container = try TestContainer("hook", stateRoot: root, poststop: "echo ran >\(canary)")
                let helper = try container.helper()
                let target = RuntimeTarget(runtime: number, id: try ContainerID(Array("hook".utf8)))
                #expect(try helper.ask(.runtimeKill(target, .act(only: nil), signal: 9, all: false)).outcome == .done)
                for _ in 0..<100 where try !text(helper.ask(.runtimeState(target))).contains("stopped") {
                    Thread.sleep(forTimeInterval: 0.01)
                }
                let answer = try helper.ask(.runtimeDelete(target, .act(only: nil)))
                #expect(answer.outcome == (allowed ? .done : .refused(.hooksNotAllowed, detail: [])), "\(answer.reply)")
                #expect(Entry.exists(canary) == allowed)
                #expect(Entry.exists("\(root)/hook") == !allowed)
                // Looking is refused no more than the act would be allowed.
                container.destroy()
                _ = try? shell("rm -f \(canary)")
            }
        }
    }
}
