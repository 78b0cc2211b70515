import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Signals to named processes in a cgroup that several containers have.
    @Suite struct ProcessKills: CgroupFixture {
        private func identity(_ pid: Int32) throws -> ProcessIdentity {
            let stat = try NodeProcess(pid).read("stat")
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            return ProcessIdentity(pid: UInt32(pid), startTime: try #require(UInt64(fields[20])))
        }

        private func kill(
            _ id: String, _ each: Case, _ cgroup: CgroupTarget, _ processes: [ProcessIdentity], signal: UInt8 = 9
        ) throws -> Request {
            let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array(id.utf8)))
            return .runtimeKillProcesses(
                target, .act(only: nil), signal: signal,
                ProcessTargets(place: cgroup.place, identity: cgroup.identity, processes: processes))
        }

        private func initProcess(_ id: String, _ each: Case, _ helper: TestHelper) throws -> ProcessIdentity {
            let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array(id.utf8)))
            let look = try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts
            guard case .container(let facts) = look else { throw ProgramFailure(description: "\(look)") }
            return ProcessIdentity(pid: facts.pid, startTime: facts.startTime)
        }

        /// Of two containers in one cgroup, or the other's beneath it.
        @Test(arguments: Container.cases, ["both", "both/inner"])
        func onlyTheNamed(_ each: Case, _ cgroup: String) throws {
            let stateRoot = "/mnt/node/\(each.runtime)"
            let namespaces = ["mount", "ipc", "uts"]
            let one = try TestContainer(
                "both", runtime: each.runtime, stateRoot: stateRoot, command: Self.family, namespaces: namespaces,
                version2: each.version2)
            let (targets, directories) = try cgroups("both", each)
            try wait(for: 4, directories)
            let own = try living(directories)
            let other = try TestContainer(
                "both-2", runtime: each.runtime, stateRoot: stateRoot, command: Self.family, namespaces: namespaces,
                cgroup: cgroup, version2: each.version2)
            try wait(for: 8, directories)
            let helper = try one.helper(policy: policy(each))
            let cgroup = try #require(targets.last)
            #expect(
                try helper.ask(self.kill("both", each, [cgroup])).outcome
                    == .refused(.cgroupShared, detail: Array("both".utf8)))

            // Not the init of another, who lives; and then none of the others in the request either.
            let theirs = try initProcess("both-2", each, helper)
            let named = try own.sorted().map(identity)
            #expect(
                try helper.ask(kill("both", each, cgroup, named + [theirs])).outcome
                    == .refused(.cgroupShared, detail: Array("both".utf8)))
            // Who has the pid by now is another; who is not in the cgroup is none of its.
            let later = named.map { ProcessIdentity(pid: $0.pid, startTime: $0.startTime + 1) }
            let here = try identity(ProcessInfo.processInfo.processIdentifier)
            #expect(try helper.ask(kill("both", each, cgroup, later + [here])).outcome == .alreadyDone)
            #expect(try living(directories).count == 8)

            let answer = try helper.ask(kill("both", each, cgroup, named + [here]))
            #expect(answer.outcome == .done && answer.facts == .count(4), "\(answer.reply)")
            try wait(for: 4, directories)
            #expect(try living(directories).isDisjoint(with: own))
            #expect(try helper.ask(kill("both", each, cgroup, named)).outcome == .alreadyDone)
            withExtendedLifetime((one, other)) {}
        }

        /// A cgroup that is not known to be the container's, or is another by now.
        @Test(arguments: Container.cases) func refusals(_ each: Case) throws {
            let stateRoot = "/mnt/node/\(each.runtime)"
            let one = try TestContainer("mine", runtime: each.runtime, stateRoot: stateRoot, version2: each.version2)
            let other = try TestContainer("other", runtime: each.runtime, stateRoot: stateRoot, version2: each.version2)
            let helper = try one.helper(policy: policy(each))
            let (own, _) = try cgroups("mine", each)
            let (foreign, directories) = try cgroups("other", each)
            let process = try identity(try #require(try living(directories).first))
            #expect(
                try helper.ask(kill("mine", each, foreign[0], [process])).outcome
                    == .refused(.cgroupNotContainers, detail: Array("other".utf8)))
            // In its own cgroup that one is not.
            #expect(
                try helper.ask(kill("mine", each, own[0], [ProcessIdentity(pid: 1, startTime: 0)])).outcome != .done)
            var another = own[0]
            another.identity.inode += 1
            #expect(
                try helper.ask(kill("mine", each, another, [process])).outcome
                    == .refused(.identityMismatch, detail: Array("mine".utf8)))
            another.place = try Place(root: own[0].place.root, components: [Array("gone".utf8)])
            #expect(try helper.ask(kill("mine", each, another, [process])).outcome == .alreadyDone)
            #expect(try living(directories).count == 1)
            withExtendedLifetime((one, other)) {}
        }
    }
}
