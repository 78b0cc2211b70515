import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// In which cgroups nothing is signalled.
    @Suite struct CgroupRefusals: CgroupFixture {
        @Test(arguments: Container.cases) func anotherCgroupAtThePlace(_ each: Case) throws {
            let container = try TestContainer(
                "exact", runtime: each.runtime, stateRoot: "/mnt/node/\(each.runtime)", version2: each.version2)
            let helper = try container.helper(policy: policy(each, mayKill: true))
            var (targets, directories) = try cgroups("exact", each)
            targets[targets.count - 1].identity.inode += 1
            #expect(
                try helper.ask(kill("exact", each, targets)).outcome
                    == .refused(.identityMismatch, detail: Array("exact".utf8)))
            #expect(try living(directories).count == 1, "all are checked before the first is signalled")
            targets[targets.count - 1].identity.inode -= 1
            let other = NodeIdentity(device: 1, inode: 2, birth: 3)
            #expect(
                try helper.ask(kill("exact", each, targets, only: other)).outcome
                    == .refused(.identityMismatch, detail: []))
            #expect(try living(directories).count == 1)
            // One that is gone is nobody's.
            targets.append(targets[0])
            targets[targets.count - 1].place = try Place(root: targets[0].place.root, components: [Array("gone".utf8)])
            #expect(try helper.ask(kill("exact", each, targets)).outcome == .done)
            try expectGone(directories)
        }

        /// Without the word `kill` in the policy only what is known to be the container's is signalled in.
        @Test(arguments: Container.cases) func onlyTheContainersOwn(_ each: Case) throws {
            let stateRoot = "/mnt/node/\(each.runtime)"
            let container = try TestContainer(
                "own", runtime: each.runtime, stateRoot: stateRoot, version2: each.version2)
            let other = try TestContainer(
                "own-2", runtime: each.runtime, stateRoot: stateRoot, version2: each.version2)
            let helper = try container.helper(policy: policy(each))
            let (own, _) = try cgroups("own", each)
            let (foreign, directories) = try cgroups("own-2", each)
            let refusal = Outcome.refused(.cgroupNotContainers, detail: Array("own-2".utf8))
            // The other one lives, and has it by its own state.
            #expect(
                try helper.ask(kill("own", each, own + foreign.suffix(1))).outcome
                    == .refused(.cgroupShared, detail: Array("own-2".utf8)))
            // Nobody's by any state: who has no state directory, or another, has no claim on it.
            try shell("mv \(stateRoot)/own-2 /mnt/node/away")
            defer { _ = try? shell("mv /mnt/node/away \(stateRoot)/own-2") }
            #expect(try helper.ask(kill("own", each, foreign)).outcome == refusal)
            #expect(try helper.ask(kill("own-2", each, foreign)).outcome == refusal)
            // A state directory with nothing in it that could be read: by the name of the cgroup.
            try shell("mkdir \(stateRoot)/own-2 \(stateRoot)/2")
            defer { _ = try? shell("rm -rf \(stateRoot)/own-2 \(stateRoot)/2") }
            #expect(try helper.ask(kill("2", each, foreign)).outcome == refusal, "no beginning and no end of an id")
            #expect(try living(directories).count == 1)
            #expect(try helper.ask(kill("own-2", each, foreign)).outcome == .done)
            try expectGone(directories)
            withExtendedLifetime(other) {}
        }

        @Test(arguments: ["crio-ID", "cri-containerd-ID.scope", "ID.slice/x", "x-ID", "ID.scope", "-ID.scope"])
        func namesOfEngines(_ pattern: String) throws {
            let node = try TestNode.shared()
            let id = String(repeating: "0123456789abcdef", count: 4)
            let each = Case(runtime: "runc", version2: false)
            let name = pattern.replacing("ID", with: id)
            let top = "\(node.hierarchies[0])/\(TestNode.cgroup)"
            try shell("mkdir -p /mnt/node/runc/\(id) \(top)/\(name)")
            defer { _ = try? shell("rmdir /mnt/node/runc/\(id); cd \(top); rmdir -p \(name) || true") }
            let (targets, _) = try cgroups(name, each)
            let outcome = try TestHelper().ask(kill(id, each, targets)).outcome
            let isTheirs = ["crio-ID", "cri-containerd-ID.scope"].contains(pattern)
            #expect(
                outcome == (isTheirs ? .alreadyDone : .refused(.cgroupNotContainers, detail: Array(name.utf8))),
                "\(name)")
        }

        /// Two containers have one cgroup, or the one's lies beneath the other's.
        @Test(arguments: Container.cases) func shared(_ each: Case) throws {
            let stateRoot = "/mnt/node/\(each.runtime)"
            let outer = try TestContainer(
                "outer", runtime: each.runtime, stateRoot: stateRoot, version2: each.version2)
            let inner = try TestContainer(
                "inner", runtime: each.runtime, stateRoot: stateRoot, cgroup: "outer/inner", version2: each.version2)
            let helper = try outer.helper(policy: policy(each, mayKill: true))
            let (targets, directories) = try cgroups("outer", each)
            let (below, innerDirectories) = try cgroups("outer/inner", each)
            let refusal = Outcome.refused(.cgroupShared, detail: Array("outer".utf8))
            #expect(try helper.ask(kill("outer", each, targets)).outcome == refusal)
            #expect(
                try helper.ask(kill("inner", each, below)).outcome
                    == .refused(.cgroupShared, detail: Array("outer/inner".utf8)))
            #expect(try helper.ask(kill("inner", each, targets.map { $0.withoutClaim })).outcome == refusal)
            #expect(try living(directories).count == 2)
            // What is directly in it is the outer's alone.
            #expect(try helper.ask(kill("outer", each, targets.map { $0.withoutClaim })).facts == .count(1))
            let end = Date().addingTimeInterval(5)
            while try living(directories).count > 1, Date() < end { usleep(2000) }
            #expect(try living(innerDirectories).count == 1 && living(directories).count == 1)
            // The outer one is dead, so that the rest is the inner's.
            #expect(try helper.ask(kill("inner", each, below)).facts == .count(1))
            try expectGone(directories)
            withExtendedLifetime((inner, outer)) {}
        }

        /// Wherever in the cgroup the helper itself is.
        @Test(arguments: ["itself", "itself/below"]) func neitherItselfNorItsBroker(_ place: String) throws {
            let each = Case(runtime: "runc", version2: false)
            let node = try TestNode.shared()
            // Where there is one with a kill of the kernel's own.
            let index = try #require(
                node.hierarchies.firstIndex { $0.hasSuffix("/unified") }
                    ?? node.hierarchies.firstIndex { $0.hasSuffix("/pids") })
            let top = "\(node.hierarchies[index])/\(TestNode.cgroup)"
            try shell("mkdir -p \(top)/itself/below")
            defer {
                _ = try? shell(
                    """
                    cd \(top); for p in $(cat itself/cgroup.procs itself/below/cgroup.procs); do echo $p >cgroup.procs; done
                    rmdir itself/below itself
                    """)
            }
            let helper = try TestHelper(policy: policy(each, mayKill: true))
            let pids = try [helper.process.pid] + helper.processes()
            var start = ProgramStart("/bin/sleep", ["60"])
            start.input = 0
            let victim = try Program(start)
            for pid in pids[...2] { try shell("echo \(pid) >\(top)/\(place)/cgroup.procs") }
            try shell("echo \(victim.pid) >\(top)/itself/cgroup.procs")
            let (targets, _) = try cgroups("itself", each)
            let answer = try helper.ask(
                kill("nobody", each, targets.filter { Int($0.place.root) == Int(TestNode.Root.cgroups) + index }))
            #expect(
                answer.outcome == .failed(Failure(errno: 1, call: .signal, detail: Array("itself".utf8))),
                "\(answer.reply)")
            #expect(answer.facts == .count(1))
            #expect(try victim.wait(seconds: 5) == .signalled(9))
            #expect(pids.allSatisfy { NodeProcess($0).isAlive })
            #expect(try helper.ask(.lookAt(.at(0))).outcome == .done)
        }

        /// The states of other containers are large: no answer is later than its deadline by more than one of them takes.
        @Test func largeStatesOfOthers() throws {
            try TestNode.shared()
            let others = (0..<60).map { "/mnt/node/runc/large-\($0)" }
            try shell("mkdir \(others.joined(separator: " "))")
            defer { _ = try? shell("rm -r \(others.joined(separator: " "))") }
            let text = Data(repeating: 0x61, count: 4_000_000)
            for other in others {
                let start =
                    #"{"id":"\#(URL(filePath: other).lastPathComponent)","init_process_pid":1,"init_process_start":1,"x":""#
                try (Data(start.utf8) + text + Data("\"}".utf8)).write(to: URL(filePath: "\(other)/state.json"))
            }
            let target = CgroupTarget(
                place: try .at(TestNode.Root.cgroups, "nobody"), identity: NodeIdentity(device: 1, inode: 2, birth: 0),
                isExclusive: true)
            let request = try kill("nobody", Case(runtime: "runc", version2: false), [target])
            let helper = try TestHelper()
            let (all, whole) = try timed { try helper.ask(request, milliseconds: 60_000) }
            #expect(whole.outcome == .alreadyDone)
            let (seconds, answer) = try timed { try helper.ask(request, milliseconds: 1) }
            #expect(answer.outcome == .timedOut && seconds < all / 4, "\(seconds) s of \(all): \(answer.reply)")
        }

        /// A cgroup that was not there when all were checked, and is when they are signalled in.
        @Test func appearingMeanwhile() throws {
            let each = Case(runtime: "runc", version2: false)
            let node = try TestNode.shared()
            let index = try #require(node.hierarchies.firstIndex { $0.hasSuffix("/pids") })
            let (top, name) = ("\(node.hierarchies[index])/\(TestNode.cgroup)", "appearing")
            func make() throws -> Entry {
                try shell("mkdir \(top)/\(name)")
                defer { _ = try? shell("rmdir \(top)/\(name)") }
                return try #require(Entry.at("\(top)/\(name)"))
            }
            let helper = try TestHelper()
            var start = ProgramStart("/bin/sleep", ["60"])
            start.input = 0
            let victim = try Program(start)
            defer {
                victim.kill()
                _ = try? victim.wait(seconds: 5)
            }
            for _ in 0..<20 {
                // Numbers are given one after the other, to a cgroup and to each of its files.
                let (first, second) = (try make(), try make())
                let identity = NodeIdentity(
                    device: second.device, inode: second.inode + (second.inode - first.inode), birth: 0)
                var tracing = ProgramStart(
                    try Programs.meanwhile.get(),
                    [
                        "\(helper.process.pid)", name,
                        "mkdir \(top)/\(name) && echo \(victim.pid) >\(top)/\(name)/cgroup.procs",
                    ])
                tracing.input = 0
                tracing.output = .read
                let tracer = try Program(tracing)
                #expect(try tracer.readLine() == "ready\n")
                let target = CgroupTarget(
                    place: try Place.at(TestNode.Root.cgroups + UInt8(index), name), identity: identity,
                    isExclusive: true)
                let outcome = try helper.ask(kill("nobody", each, [target])).outcome
                #expect(try tracer.wait(seconds: 5) == .exited(0))
                let found = try #require(Entry.at("\(top)/\(name)"))
                try #require(try victim.wait(seconds: 0.05) == nil, "it is in no container")
                try shell("echo \(victim.pid) >\(top)/cgroup.procs; rmdir \(top)/\(name)")
                guard found.inode == identity.inode else { continue }
                #expect(outcome == .alreadyDone)
                return
            }
            Issue.record("others make cgroups all the time: nothing was tried")
        }

        @Test func whatIsNoCgroup() throws {
            let node = try TestNode.shared()
            try shell("mkdir -p /mnt/node/cgroups/a")
            let policy = node.policy + "cgroup-root = /mnt/node/cgroups kill\n"
            let helper = try TestHelper(policy: policy)
            let entry = try #require(Entry.at("/mnt/node/cgroups/a"))
            let identity = NodeIdentity(device: entry.device, inode: entry.inode, birth: 0)
            func ask(_ place: Place) throws -> Outcome {
                let target = CgroupTarget(place: place, identity: identity, isExclusive: true)
                return try helper.ask(kill("x", Case(runtime: "runc", version2: false), [target])).outcome
            }
            let root = UInt8(Int(TestNode.Root.cgroups) + node.hierarchies.count)
            #expect(try ask(.at(root, "a")) == .refused(.notCgroup, detail: [0x61]))
            #expect(try ask(.at(0, "a")) == .refused(.wrongRootKind, detail: []))
            #expect(try ask(Place(root: root)) == .refused(.wrongDepth, detail: []))
            #expect(try ask(.at(200, "a")) == .refused(.unknownRoot, detail: []))
        }
    }
}
