import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What the program prints where nobody looks but another program: whole JSON lines, and no escape codes.
@Suite(.serialized) struct OutputTests {
    private func run(_ node: PodNode, _ arguments: [String]) throws -> PodreapResult {
        let result = try node.podreap(arguments)
        #expect(result.status == 0, "\(result)")
        #expect(!result.output.contains("\u{1b}") && !result.errors.contains("\u{1b}"))
        #expect(!result.output.contains("\r"))
        return result
    }

    @Test func forPeople() throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let short = pod.id.prefix(13)
            let document = try node.write(pod.registration, as: "document.json")
            let registered = try run(node, ["register", document])
            #expect(registered.output == pod.id + "\n" && registered.errors == "")

            let list = try run(node, ["ps"]).output.split(separator: "\n")
            #expect(list.count == 2)
            #expect(list[0].split(separator: " ").first == "SANDBOX")
            let cells = list[1].split(separator: " ")
            #expect(cells[0] == short && cells[1...4] == ["web", "default", "0", "ready"])
            #expect(cells[6...] == ["runc", "app-0,app-1"])
            #expect(try run(node, ["ps", "--no-trunc"]).output.contains(pod.id))

            let plan = try run(node, ["plan", String(short)]).output
            #expect(plan.hasPrefix("STEP  OF       WHAT"))
            #expect(plan.contains("kill process \(pod.workloads[0].pid) and wait for its end"))
            let inspected = try run(node, ["inspect", pod.id]).output
            #expect(try JSONSerialization.jsonObject(with: Data(inspected.utf8)) is [String: Any])

            let removed = try run(node, ["remove", pod.id])
            #expect(removed.errors == "")
            #expect(removed.output.hasPrefix("remove \(short) (pod default/web): 3 containers, "))
            #expect(removed.output.split(separator: "\n").last?.hasPrefix("removed \(short) in ") == true)
            #expect(pod.leftovers() == [])

            let again = try run(node, ["remove", pod.id])
            #expect(again.output == "")
            #expect(
                again.errors
                    == "podreap: warning: no sandbox \(pod.id) is registered, so nothing is to be done; \(short) was removed before\n"
            )
        }
    }

    @Test func forPrograms() throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload(isPaused: true)])
            let document = try node.write(pod.registration, as: "document.json")
            let registered = try run(node, ["register", document, "--json"]).lines()
            #expect(registered.count == 1)
            #expect((registered[0]["sandbox"] as? [String: Any])?["id"] as? String == pod.id)
            #expect((registered[0]["containers"] as? [Any])?.count == 3)
            let listed = try run(node, ["ps", "--json"]).lines()
            #expect(NSDictionary(dictionary: listed[0]) == NSDictionary(dictionary: registered[0]))
            let inspected = try run(node, ["inspect", pod.id, "--json"]).lines()
            #expect(NSDictionary(dictionary: inspected[0]) == NSDictionary(dictionary: registered[0]))

            let plan = try run(node, ["plan", pod.id, "--json"]).lines()
            #expect(plan.compactMap { $0["number"] as? Int } == Array(plan.indices))
            #expect(plan.last?["verb"] as? String == "forget")

            let stopped = try run(node, ["stop", pod.id, "--grace", "0", "--json"]).lines()
            try expectEvents(stopped, pod.id, outcome: "stopped")
            let removed = try run(node, ["remove", pod.id, "--json"]).lines()
            try expectEvents(removed, pod.id, outcome: "removed")
            #expect(pod.leftovers() == [])

            let unknown = try run(node, ["remove", pod.id, "--json"]).lines()
            #expect(unknown.count == 1 && unknown[0]["event"] as? String == "unknown")
            #expect(unknown[0]["last"] as? String == "removed")
        }
    }

    /// The plan first, then a start and an end for each of its steps, and the report last.
    private func expectEvents(_ lines: [[String: any Sendable]], _ id: String, outcome: String) throws {
        #expect(lines.allSatisfy { $0["sandbox"] as? String == id })
        let events = lines.compactMap { $0["event"] as? String }
        #expect(events.first == "planned" && events.last == "report")
        let steps = try #require(lines.first?["steps"] as? [[String: Any]])
        #expect(events.count { $0 == "started" } == steps.count)
        #expect(events.count { $0 == "finished" } == steps.count)
        let report = try #require(lines.last?["report"] as? [String: Any])
        #expect(report["outcome"] as? String == outcome)
        #expect((report["steps"] as? [Any])?.count == steps.count)
        #expect(lines.last?["joined"] as? Bool == false)
    }

    /// Several at once, one of them unknown: each line says which it is about.
    @Test func several() throws {
        try withPodNode { node in
            let pods = try ["one", "two"].map { try node.pod($0) }
            for pod in pods { #expect(try node.register(pod).status == 0) }
            let result = try run(node, ["remove", pods[0].id, "unknown", pods[1].id, pods[0].id])
            #expect(result.errors == "podreap: warning: no sandbox unknown is registered, so nothing is to be done\n")
            for line in result.output.split(separator: "\n") {
                #expect(pods.contains { line.contains($0.id.prefix(13)) }, "\(line)")
            }
            for pod in pods { #expect(pod.leftovers() == []) }
        }
    }

    @Test func statusesAreDocumented() throws {
        try withPodNode { node in
            let help = try run(node, ["--help"]).output.replacing("\n", with: " ")
            #expect(help.contains("Exit status: 0 done, or nothing to do; 1 something is left or failed"))
            #expect(
                help.contains(
                    "2 the command line or a document is wrong, nothing was changed; 3 the helper or the registry"))
            for command in ["register", "ps", "inspect", "plan", "stop", "remove"] {
                #expect(try run(node, [command, "--help"]).output.contains("USAGE: podreap \(command)"))
            }
        }
    }
}
