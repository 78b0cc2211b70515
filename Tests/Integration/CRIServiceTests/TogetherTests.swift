import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Several callers of one pod: through the daemon, and through the command line beside it.
@Suite(.serialized) struct TogetherTests {
    /// A caller with a short deadline, one that goes away, and two that wait: one removal.
    @Test func callersWithLittleTime() async throws {
        try await withDaemon { daemon, _ in
            let pod = try daemon.pod("web", [Workload(files: 5000), Workload(files: 5000), Workload(.ignoresTerm)])
            let id = ["pod_sandbox_id": pod.id]
            let answers = try daemon.calls([
                [
                    Call("RemovePodSandbox", id, timeout: 0.01), Call("RemovePodSandbox", id, cancel: 0.01),
                    Call("RemovePodSandbox", id), Call("RemovePodSandbox", id, service: "Removal"),
                ]
            ])
            #expect(answers.map(\.code) == ["DEADLINE_EXCEEDED", "CANCELLED", "OK", "OK"], "\(answers)")
            #expect(pod.leftovers() == [])
            let history = try daemon.removal("History", ["matching": pod.id])
            #expect(history.list("reports").count == 1)
        }
    }

    /// So many at once, so many more in the order in which they came, and beyond that a clear answer; what only asks never waits.
    @Test func oneAfterTheOther() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node, settings: "[daemon]\nsocket = \"\(socket)\"\nlog = \"debug\"\nat-once = 1\nwaiting = 2")
            let pod = try daemon.pod("web", Array(repeating: Workload(.ignoresTerm), count: 4))
            let ids = pod.workloads.map(\.id)
            let stops = ids.map { Call("StopContainer", ["container_id": $0, "timeout": "2"], after: 0.3) }
            let answers = try daemon.calls([
                stops + [Call("ListContainers"), Call("StopContainer", ["container_id": ids[1], "timeout": "2"])]
            ])
            #expect(answers.map(\.code) == ["OK", "OK", "OK", "RESOURCE_EXHAUSTED", "OK", "OK"], "\(answers)")
            #expect(answers[3].message.contains("2 removals and stops wait for one of 1 to end"), "\(answers[3])")
            #expect(answers[4].seconds < 1.5, "asking does not wait: \(answers[4].seconds) s")
            let began = daemon.log().split(separator: "\n").filter { $0.contains("began") }
            #expect(began.compactMap { line in ids.firstIndex { line.contains($0) } } == [0, 1, 2], "\(began)")
            #expect(try daemon.call("StopContainer", ["container_id": ids[3], "timeout": "0"]).code == "OK")
            #expect(try daemon.end() == .exited(0))
        }
    }

    /// Nobody waits for it any more, and it goes on all the same.
    @Test func aVanishedCallersRemovalGoesOn() async throws {
        try await withDaemon { daemon, _ in
            let pod = try daemon.pod("web", [Workload(files: 2000)])
            let answer = try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id], timeout: 0.05)
            #expect(["DEADLINE_EXCEEDED", "OK"].contains(answer.code))
            try daemon.waitForLog("outcome=removed")
            #expect(pod.leftovers() == [])
        }
    }

    @Test func theDaemonJoinsTheCommandLine() async throws {
        try await withDaemon { daemon, node in
            let pod = try daemon.pod("web", [Workload(.ignoresTerm)])
            // A stop with grace holds the pod; the daemon waits for its end.
            let other = try node.start(["stop", "--grace", "5", pod.id, "--json"])
            try other.waitForLines("started")
            let answer = try daemon.call("StopPodSandbox", ["pod_sandbox_id": pod.id])
            #expect(answer.code == "OK", "\(answer)")
            #expect(try other.end().status == 0)
            #expect(daemon.log().contains("outcome=joined"), "\(daemon.log())")
        }
    }

    @Test func theCommandLineJoinsTheDaemon() async throws {
        try await withDaemon("[removal]\nstop-grace = 1") { daemon, node in
            let pod = try daemon.pod("web", [Workload(.ignoresTerm)])
            async let answer = Task.detached {
                try daemon.call("StopPodSandbox", ["pod_sandbox_id": pod.id]).code
            }.value
            try daemon.waitForLog("verb=stopSandbox")
            try await Task.sleep(for: .milliseconds(200))
            let result = try node.podreap(["stop", "--json", pod.id])
            #expect(result.status == 0)
            #expect(try result.lines().last?["joined"] as? Bool == true, "\(result.output)")
            #expect(try await answer == "OK")
        }
    }

    /// CNI DEL and the like: before the namespace goes, with a deadline, and its failure is told.
    @Test func theHookBeforeTheNamespaceGoes() throws {
        try withPodNode { node in
            let script = try node.write(
                """
                #!/bin/sh
                [ -e "$PODREAP_NETNS" ] && echo "$PODREAP_SANDBOX $PODREAP_POD_NAME" >> \(node.library)/told
                [ -e \(node.library)/hang ] && sleep 60
                [ -e \(node.library)/broken ] && { echo "no such plugin: bridge"; exit 7; }
                exit 0
                """, as: "before-netns", mode: 0o755)
            let daemon = try Daemon(
                node,
                settings: """
                    [removal]
                    before-netns = ["\(script)"]
                    before-netns-timeout = 1
                    [daemon]
                    socket = "\(node.library)/podreap.sock"
                    log = "debug"
                    metrics = "127.0.0.1:0"
                    """)
            let pod = try daemon.pod()
            let id = ["pod_sandbox_id": pod.id]
            try node.write("", as: "broken")
            let broken = try daemon.call("RemovePodSandbox", id)
            #expect(broken.code == "INTERNAL")
            #expect(try daemon.metrics().contains("\npodreap_stuck_sandboxes 1.0\n"))
            #expect(broken.message.contains("exited with status 7: no such plugin: bridge"), "\(broken)")
            try FileManager.default.removeItem(atPath: "\(node.library)/broken")
            try node.write("", as: "hang")
            let hangs = try daemon.call("RemovePodSandbox", id)
            #expect(hangs.message.contains("was killed after 1 s"), "\(hangs)")
            try FileManager.default.removeItem(atPath: "\(node.library)/hang")
            #expect(try daemon.call("RemovePodSandbox", id).code == "OK")
            let metrics = try daemon.metrics()
            #expect(metrics.contains("\npodreap_stuck_sandboxes 0.0\n"), "\(metrics)")
            #expect(metrics.contains("\npodreap_retries_total 2.0\n"))
            #expect(metrics.contains(#"podreap_failed_steps_total{step="before-namespaces"} 2.0"#), "\(metrics)")
            let told = try String(contentsOfFile: "\(node.library)/told", encoding: .utf8)
            #expect(told == String(repeating: "\(pod.id) web\n", count: 3))
            #expect(pod.leftovers() == [])
            #expect(try daemon.end() == .exited(0))
        }
    }
}
