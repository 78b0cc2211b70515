import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Several processes at one pod, and processes that die.
@Suite(.serialized) struct ProcessTests {
    /// The first is held while it works, so that the second one finds it at work.
    @Test(arguments: [(["remove"], "removed"), (["stop", "--grace", "2"], "stopped")])
    func theSecondJoinsTheFirst(_ command: [String], _ outcome: String) throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm, files: 20_000)])
            #expect(try node.register(pod).status == 0)
            let first = try node.start(command + [pod.id, "--json"])
            try first.waitForLines(#""event":"planned""#)
            first.program.kill(SIGSTOP)
            let second = try node.start(command + [pod.id, "--json"])
            try second.waitForLines(#""event":"waiting""#)
            first.program.kill(SIGCONT)
            let results = try [first.end(), second.end()]
            #expect(results.map(\.status) == [0, 0])
            let ends = try results.map { try #require(try $0.lines().last) }
            #expect(ends.map { $0["joined"] as? Bool } == [false, true])
            #expect(
                ends.map { ($0["report"] as? [String: Any])?["outcome"] as? String } == [outcome, outcome])
            #expect(!pod.leftovers().contains { $0.hasPrefix("process") })
        }
    }

    @Test func manyAtOnce() throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            #expect(try node.register(pod).status == 0)
            let all = try (0..<6).map { _ in try node.start(["remove", pod.id, "--json"]) }
            let results = try all.map { try $0.end() }
            #expect(results.map(\.status) == results.map { _ in 0 })
            let ends = try results.compactMap { try $0.lines().last }
            // A late one finds nothing to do.
            #expect(ends.count { $0["event"] as? String == "report" && $0["joined"] as? Bool == false } == 1)
            #expect(pod.leftovers() == [])
        }
    }

    /// Killed when so many steps are over: what was begun is nowhere half done for good, and the next call does the rest.
    @Test(arguments: [0, 1, 3, 6, 9, 12])
    func killedAfterSteps(_ count: Int) throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload(files: 500)])
            let bystander = try node.pod("bystander", [])
            for pod in [pod, bystander] { #expect(try node.register(pod).status == 0) }
            let traces = bystander.leftovers()
            let first = try node.start(["remove", pod.id, "--json"])
            try first.waitForLines(count == 0 ? #""event":"planned""# : #""event":"finished""#, count: max(1, count))
            first.program.kill(SIGKILL)
            // A fast one may be at its end before it is killed.
            #expect([0, 128 + 9].contains(try first.end().status))

            let next = try node.podreap(["remove", pod.id, "--json"])
            #expect(next.status == 0, "\(next)")
            #expect(pod.leftovers() == [])
            #expect(node.sample.volumeIsIntact)
            #expect(bystander.leftovers() == traces)
            #expect(try node.podreap(["ps", "--json"]).lines().count == 1)
        }
    }

    /// Every helper of a removal is killed while a large tree goes.
    @Test func helpersKilled() throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(files: 20_000)])
            #expect(try node.register(pod).status == 0)
            let removal = try node.start(["remove", pod.id, "--json"])
            try removal.waitForLines(#""verb":"remove-directory""#, count: 2)
            var killed = 0
            for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(removal.program.pid)/task") {
                let path = "/proc/\(removal.program.pid)/task/\(thread)/children"
                let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
                for pid in children.split(separator: " ").compactMap({ pid_t($0) }) where kill(pid, SIGKILL) == 0 {
                    killed += 1
                }
            }
            #expect(killed > 0)
            let result = try removal.end()
            #expect(result.status == 0, "\(result)")
            #expect(pod.leftovers() == [])
        }
    }
}
