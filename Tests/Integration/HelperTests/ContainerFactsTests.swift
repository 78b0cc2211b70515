import Foundation
import HelperClient
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What a look tells of a container, from the runtime's state and without the runtime.
    @Suite struct Container {
        struct Case: Sendable, CustomTestStringConvertible {
            var runtime: String
            var version2: Bool
            var testDescription: String { "\(runtime), cgroup version \(version2 ? 2 : 1)" }
            var number: UInt8 { runtime == "runc" ? TestNode.Runtime.runc : TestNode.Runtime.crun }
        }

        static let cases = ["runc", "crun"].flatMap {
            [Case(runtime: $0, version2: false), Case(runtime: $0, version2: true)]
        }

        @Test(arguments: cases) func realRuntimes(_ each: Case) throws {
            let id = "facts-\(each.runtime)"
            let root = "/mnt/node/\(each.runtime)"
            let container = try TestContainer(id, runtime: each.runtime, stateRoot: root, version2: each.version2)
            let helper = try container.helper()
            let target = RuntimeTarget(runtime: each.number, id: try ContainerID(Array(id.utf8)))
            guard case .container(let facts) = try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts
            else {
                throw ProgramFailure(description: "no facts of the container")
            }
            #expect(try helper.ask(.runtimeDelete(target, .look)).facts == .container(facts))
            #expect(facts.state == (each.runtime == "runc" ? .runc : .crun))
            #expect(facts.directory.inode == Entry.at("\(root)/\(id)")?.inode)
            let process = NodeProcess(Int32(facts.pid))
            #expect(try process.read("cmdline").hasPrefix("/bin/busybox"))
            #expect(try UInt64(process.read("stat").split(separator: " ")[21]) == facts.startTime)
            // Each cgroup that is named holds the process, and with crun that is one in every hierarchy.
            let paths = facts.cgroups.map { String(decoding: $0.path, as: UTF8.self) }
            #expect(!paths.isEmpty)
            for path in paths {
                #expect(path.hasSuffix("/\(TestNode.cgroup)/\(id)"))
                let directories =
                    each.runtime == "runc" ? [seen(path, each)] : try TestNode.shared().hierarchies.map { $0 + path }
                for directory in directories where each.runtime == "runc" || Entry.exists(directory) {
                    let members = try shell("cat \(directory)/cgroup.procs").split(separator: "\n")
                    #expect(members.contains("\(facts.pid)"), "\(directory)")
                }
            }
            // A client of 0.1.0 is told what it always was.
            let old = try TestHelper(versions: VersionRange(minimum: 1, maximum: 1))
            let identity = DirectoryFacts(identity: facts.directory, children: [], next: 0)
            #expect(try old.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts == .directory(identity))
        }

        /// Where a path that a runtime saw lies in the view of this test.
        private func seen(_ path: String, _ each: Case) -> String {
            guard each.version2, let view = TestContainer.version2.first, let source = view.source else { return path }
            return source + path.dropFirst(view.target.count)
        }

        @Test(arguments: ["", "{\"id\":\"broken\"", nil]) func brokenState(_ text: String?) throws {
            try TestNode.shared()
            let directory = "/mnt/node/runc/broken"
            try shell("mkdir \(directory)")
            defer { _ = try? shell("rm -r \(directory)") }
            if let text { try Data(text.utf8).write(to: URL(filePath: "\(directory)/state.json")) }
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("broken".utf8)))
            let answer = try TestHelper().ask(.runtimeKill(target, .look, signal: 9, all: false))
            guard case (.done, .container(let facts)) = (answer.outcome, answer.facts) else {
                throw ProgramFailure(description: "\(answer.reply)")
            }
            #expect(facts.state == (text == nil ? .absent : .notUnderstood) && facts.pid == 0 && facts.cgroups.isEmpty)
        }

        @Test func noContainer() throws {
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("nobody".utf8)))
            let helper = try TestHelper()
            #expect(try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).outcome == .alreadyDone)
            #expect(try helper.ask(.runtimeDelete(target, .look)).outcome == .alreadyDone)
        }

        /// The runtime's program is gone, say because its package was removed: the helper serves, tells what the state says, and
        /// signals the init. Only what the runtime alone can do fails, with its reason.
        @Test func programIsGone() throws {
            let container = try TestContainer("orphan", stateRoot: "/mnt/node/runc")
            let policy = try TestNode.shared().policy.replacing(/runtime = runc \S+/) { _ in
                "runtime = runc /usr/sbin/gone"
            }
            let helper = try container.helper(policy: policy)
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("orphan".utf8)))
            guard case .container(let facts) = try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts
            else {
                throw ProgramFailure(description: "no facts of the container")
            }
            #expect(facts.state == .runc && NodeProcess(Int32(facts.pid)).isAlive)
            let execution = Outcome.failed(Failure(errno: 2, call: .exec))
            #expect(try helper.ask(.runtimeState(target)).outcome == execution)
            #expect(
                try helper.ask(.runtimeKill(target, .act(only: facts.directory), signal: 9, all: true)).outcome
                    == execution)
            let kill = Request.runtimeKill(target, .act(only: facts.directory), signal: 9, all: false)
            #expect(try helper.ask(kill).outcome == .done)
            #expect(NodeProcess.waitForEnd(of: [Int32(facts.pid)], seconds: 2) == [])
            #expect(try helper.ask(.runtimeDelete(target, .act(only: facts.directory))).outcome == execution)
        }

        /// The init's first thread has ended, and others run: the process lives, though its state reads `Z`.
        @Test func leaderHasEnded() throws {
            let container = try TestContainer(
                "leader", stateRoot: "/mnt/node/runc", command: ["/bin/leader"], programs: [TestPrograms.leader.get()])
            let helper = try container.helper()
            let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("leader".utf8)))
            guard case .container(let facts) = try helper.ask(.runtimeKill(target, .look, signal: 9, all: false)).facts
            else {
                throw ProgramFailure(description: "no facts of the container")
            }
            let pid = Int32(facts.pid)
            #expect(try soon { try NodeProcess(pid).read("stat").contains(") Z ") })
            #expect(try shell("ls /proc/\(pid)/task").split(separator: "\n").count == 2)
            #expect(try helper.ask(.runtimeKill(target, .act(only: nil), signal: 9, all: false)).outcome == .done)
            let cgroups = facts.cgroups.map { String(decoding: $0.path, as: UTF8.self) }
            let end = Date().addingTimeInterval(5)
            while try !shell("cat \(cgroups[0])/cgroup.procs || true").isEmpty, Date() < end { usleep(1000) }
            #expect(try shell("cat \(cgroups[0])/cgroup.procs || true") == "")
        }
    }
}
