import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Signals to what lives in a container's cgroups, without the runtime.
    @Suite struct CgroupKills: CgroupFixture {
        /// Processes outlive their init where it has no PID namespace. The runtime's kill would not find them any more.
        @Test(arguments: Container.cases) func withoutItsInit(_ each: Case) throws {
            let container = try TestContainer(
                "orphans", runtime: each.runtime, stateRoot: "/mnt/node/\(each.runtime)", command: Self.family,
                namespaces: ["mount", "ipc", "uts"], version2: each.version2)
            let helper = try container.helper(policy: policy(each))
            let (targets, directories) = try cgroups("orphans", each)
            let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array("orphans".utf8)))
            guard case .container(let facts) = try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts
            else {
                throw ProgramFailure(description: "no facts of the container")
            }
            try wait(for: 4, directories)
            try shell("kill -9 \(facts.pid)")
            while NodeProcess(Int32(facts.pid)).isAlive { usleep(1000) }
            #expect(try living(directories).count == 3)
            // To look changes nothing; TERM reaches those that take it.
            #expect(
                try helper.ask(.runtimeKillCgroups(target, .look, signal: 9, targets)).facts == .container(facts))
            #expect(try living(directories).count == 3)
            let answer = try helper.ask(kill("orphans", each, targets, only: facts.directory))
            #expect(answer.outcome == .done && answer.facts == .count(3), "\(answer.reply)")
            try expectGone(directories)
            #expect(try helper.ask(kill("orphans", each, targets)).outcome == .alreadyDone)
        }

        @Test(arguments: Container.cases) func anotherSignal(_ each: Case) throws {
            let container = try TestContainer(
                "term", runtime: each.runtime, stateRoot: "/mnt/node/\(each.runtime)", command: Self.family,
                version2: each.version2)
            let helper = try container.helper(policy: policy(each))
            let (targets, directories) = try cgroups("term", each)
            try wait(for: 4, directories)
            // The shell that ignores it, and both of its children, go on; as process 1 of its namespace so does the init.
            let answer = try helper.ask(kill("term", each, targets, signal: 15))
            #expect(answer.outcome == .done && answer.facts == .count(4), "\(answer.reply)")
            usleep(50_000)
            #expect(try living(directories).count == 4)
            #expect(try helper.ask(kill("term", each, targets, signal: 9)).outcome == .done)
            try expectGone(directories)
        }

        /// A cgroup beneath the container's is frozen, as a nested engine's paused container is; or the container's own.
        @Test(arguments: Container.cases, [true, false]) func frozen(_ each: Case, _ nested: Bool) throws {
            let id = "frozen"
            let root = "/mnt/node/\(each.runtime)"
            let container = try TestContainer(
                id, runtime: each.runtime, stateRoot: root, command: Self.family, version2: each.version2)
            let helper = try container.helper(policy: policy(each))
            let (targets, directories) = try cgroups(id, each)
            try wait(for: 4, directories)
            let freezer = try #require(directories.first { $0.contains(each.version2 ? "unified" : "freezer") })
            let file = each.version2 ? "cgroup.freeze" : "freezer.state"
            let inner = nested ? "\(freezer)/engine/inner" : freezer
            try shell(
                """
                mkdir -p \(inner)
                \(nested ? "for p in $(cat \(freezer)/cgroup.procs); do grep -q 5001 /proc/$p/cmdline && echo $p >\(inner)/cgroup.procs; done" : "")
                echo \(each.version2 ? "1" : "FROZEN") >\(inner)/\(file)
                """)
            let answer = try helper.ask(kill(id, each, targets))
            #expect(answer.outcome == .done, "\(answer.reply)")
            try expectGone(directories)
            // It does not stay frozen: else the runtime would take it for paused.
            #expect(try shell("cat \(inner)/\(file)") == (each.version2 ? "0\n" : "THAWED\n"))
            if nested { try shell("rmdir \(inner) \(freezer)/engine") }
            let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array(id.utf8)))
            let deletion = try helper.ask(.runtimeDelete(target, .act(only: nil)))
            #expect(deletion.outcome == .done, "\(deletion.reply)")
        }

        /// A paused container of version 2: without the runtime a signal to its init would leave it frozen, and the runtime would
        /// delete it never. So the runtime is asked.
        @Test func pausedInitIsTheRuntimes() throws {
            let each = Case(runtime: "runc", version2: true)
            let container = try TestContainer("paused", stateRoot: "/mnt/node/runc", version2: true)
            let helper = try container.helper(policy: policy(each))
            let (_, directories) = try cgroups("paused", each)
            try shell("echo 1 >\(directories[0])/cgroup.freeze")
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("paused".utf8)))
            #expect(try helper.ask(.runtimeKill(target, .act(only: nil), signal: 9, all: false)).outcome == .done)
            try expectGone(directories)
            #expect(try shell("cat \(directories[0])/cgroup.freeze") == "0\n")
            #expect(try helper.ask(.runtimeDelete(target, .act(only: nil))).outcome == .done)
        }

        /// Somebody moved a process out of most hierarchies; every cgroup that is named is looked at.
        @Test func movedOutOfMostHierarchies() throws {
            let each = Case(runtime: "runc", version2: false)
            let container = try TestContainer(
                "moved", stateRoot: "/mnt/node/runc", command: Self.family, namespaces: ["mount", "ipc", "uts"])
            let helper = try container.helper(policy: policy(each))
            let (targets, directories) = try cgroups("moved", each)
            try wait(for: 4, directories)
            let hierarchies = try TestNode.shared().hierarchies
            try #require(hierarchies.count > 3)
            for hierarchy in hierarchies where !hierarchy.hasSuffix("/pids") {
                try shell(
                    "for p in $(cat \(hierarchy)/\(TestNode.cgroup)/moved/cgroup.procs); do echo $p >\(hierarchy)/cgroup.procs; done"
                )
            }
            let answer = try helper.ask(kill("moved", each, targets))
            #expect(answer.outcome == .done && answer.facts == .count(4), "\(answer.reply)")
            try expectGone(directories)
        }

        /// More than are signalled at once: a deadline ends it between them, and each request signals some.
        @Test func manyWithoutTime() throws {
            let each = Case(runtime: "runc", version2: false)
            let node = try TestNode.shared()
            let index = try #require(node.hierarchies.firstIndex { $0.hasSuffix("/pids") })
            let top = "\(node.hierarchies[index])/\(TestNode.cgroup)"
            try shell(
                """
                mkdir -p \(top)/many; echo $$ >\(top)/many/cgroup.procs
                i=0; while [ $i -lt 600 ]; do sleep 60 </dev/null >/dev/null 2>&1 & i=$((i+1)); done
                echo $$ >\(top)/cgroup.procs
                """)
            defer { _ = try? shell("until rmdir \(top)/many; do sleep 0.01; done 2>/dev/null") }
            let (targets, directories) = try cgroups("many", each)
            let helper = try TestHelper(policy: policy(each, mayKill: true))
            let request = try kill(
                "nobody", each, targets.filter { $0.place.root == UInt8(index) + TestNode.Root.cgroups })
            let answer = try helper.ask(request, milliseconds: 1)
            guard case (.inProgress, .count(64..<600)) = (answer.outcome, answer.facts) else {
                throw ProgramFailure(description: "\(answer.reply)")
            }
            var requests = 0
            while try helper.ask(request, milliseconds: 1).outcome == .inProgress, requests < 200 { requests += 1 }
            try expectGone(directories)
        }

        /// Processes that multiply are not outrun for ever.
        @Test(arguments: [false, true]) func multiplying(_ version2: Bool) throws {
            let each = Case(runtime: "runc", version2: version2)
            let container = try TestContainer(
                "bomb", stateRoot: "/mnt/node/runc",
                command: [
                    "/bin/busybox", "sh", "-c", "f() { sleep 0.01; f & f & }; f; while :; do f & sleep 0.02; done",
                ],
                namespaces: ["mount", "uts"], version2: version2)
            let (targets, directories) = try cgroups("bomb", each)
            for directory in directories where Entry.exists("\(directory)/pids.max") {
                try shell("echo 300 >\(directory)/pids.max")
            }
            usleep(300_000)
            let helper = try container.helper(policy: policy(each))
            var outcomes: [Outcome] = []
            for _ in 0..<20 {
                outcomes.append(try helper.ask(kill("bomb", each, targets)).outcome)
                if outcomes.last == .alreadyDone { break }
                usleep(20_000)
            }
            #expect(outcomes.last == .alreadyDone, "\(outcomes)")
            try expectGone(directories)
        }

        /// Threads of one process lie in different cgroups of version 2; a threaded one names no process.
        @Test func threaded() throws {
            let each = Case(runtime: "runc", version2: true)
            let node = try TestNode.shared()
            let top = try #require(node.hierarchies.first { $0.hasSuffix("/unified") }) + "/\(TestNode.cgroup)"
            var start = ProgramStart(try TestPrograms.leader.get())
            start.input = 0
            let victim = try Program(start)
            #expect(try soon { try NodeProcess(victim.pid).read("stat").contains(") Z ") })
            try shell(
                """
                mkdir -p \(top)/domain/part; echo threaded >\(top)/domain/part/cgroup.type
                echo \(victim.pid) >\(top)/domain/cgroup.procs
                for t in /proc/\(victim.pid)/task/*; do [ ${t##*/} = \(victim.pid) ] || echo ${t##*/} >\(top)/domain/part/cgroup.threads; done
                """)
            defer { _ = try? shell("rmdir \(top)/domain/part \(top)/domain") }
            #expect(throws: (any Error).self) { try shell("cat \(top)/domain/part/cgroup.procs") }
            let (targets, directories) = try cgroups("domain/part", each)
            var view = TestHelper.start
            view.binds = TestContainer.version2
            let helper = try TestHelper(view, policy: policy(each, mayKill: true))
            let answer = try helper.ask(kill("nobody", each, targets))
            #expect(answer.outcome == .done && answer.facts == .count(1), "\(answer.reply)")
            #expect(try victim.wait(seconds: 5) == .signalled(9))
            #expect(try shell("cat \(directories[0])/cgroup.threads") == "")
        }
    }
}
