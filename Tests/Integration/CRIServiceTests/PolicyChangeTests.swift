import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// `helper.conf` is changed while a daemon runs: what begins then goes by the new one, and what was under way ends under the old one.
@Suite(.serialized) struct PolicyChangeTests {
    @Test func isTakenUp() async throws {
        try await withDaemon { daemon, node in
            let pods = try (0..<3).map { try daemon.pod("pod-\($0)") }
            func remove(_ pod: SamplePod) throws -> Answer {
                try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id])
            }
            #expect(try remove(pods[0]).code == "OK")
            // The daemon's helpers wait for work, with the policy that they have read.
            let lines = node.policy.split(separator: "\n")
            try node.setPolicy(lines.filter { !$0.hasPrefix("container-root") }.joined(separator: "\n") + "\n")
            let refused = try remove(pods[1])
            #expect(refused.code != "OK" && refused.message.contains("outside every root"), "\(refused)")
            try node.setPolicy("nonsense\n")
            let wrong = try remove(pods[1])
            #expect(wrong.code != "OK" && wrong.message.contains("helper.conf is wrong"), "\(wrong)")
            // Other roots come first now: a number that meant one before means another.
            try shell("mkdir -p /mnt/other-root && chown root /mnt/other-root")
            try node.setPolicy("sandbox-root = /mnt/other-root\n" + node.policy)
            let answers = try daemon.calls([
                pods.dropFirst().map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id]) }
            ])
            #expect(answers.allSatisfy { $0.code == "OK" }, "\(answers)")
            for pod in pods { #expect(pod.leftovers() == []) }
        }
    }

    @Test func whatIsUnderWayEndsUnderTheOldOne() async throws {
        try await withDaemon("[removal]\nstop-grace = 3") { daemon, node in
            let (slow, other) = (try daemon.pod("slow", [Workload(.ignoresTerm)]), try daemon.pod("other"))
            async let stopped = Self.call(daemon, "StopPodSandbox", slow)
            while !daemon.log().contains("began") { try await Task.sleep(for: .milliseconds(10)) }
            try await Task.sleep(for: .milliseconds(500))
            try shell("mkdir -p /mnt/other-root && chown root /mnt/other-root")
            try node.setPolicy("sandbox-root = /mnt/other-root\n" + node.policy)
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": other.id]).code == "OK")
            let answer = try await stopped
            #expect(answer.code == "OK" && answer.seconds > 2.5, "\(answer)")
            #expect(slow.leftovers().allSatisfy { !$0.hasPrefix("process") && !$0.contains(slow.netns) })
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": slow.id]).code == "OK")
            #expect(slow.leftovers() == [] && other.leftovers() == [])
        }
    }

    private static func call(_ daemon: Daemon, _ method: String, _ pod: SamplePod) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try daemon.call(method, ["pod_sandbox_id": pod.id]) })
            }
        }
    }
}
