import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A call's gRPC deadline bounds what podreapd does for it.
@Suite(.serialized) struct DeadlineTests {
    /// The client has gone when another program lets go of the registry: what it asked for is not done behind its back.
    @Test func aRegistryThatIsHeld() async throws {
        try await withDaemon { daemon, node in
            let (pod, other) = (try daemon.pod("known"), try node.pod("new"))
            let holder = try RegistryHolder(node.registryPath)
            let registration = RemovalServiceTests.registration(other)
            let answers = try daemon.calls([
                [
                    Call("RegisterPodSandbox", registration, service: "Removal", timeout: 1),
                    Call("ListPodSandbox", timeout: 30), Call("CollectGarbage", service: "Removal", timeout: 30),
                    Call("RemovePodSandbox", ["pod_sandbox_id": pod.id], timeout: 1),
                ]
            ])
            #expect(answers[1].ids("items") == [pod.id])
            #expect(
                answers.map(\.code) == ["DEADLINE_EXCEEDED", "OK", "OK", "DEADLINE_EXCEEDED"], "\(answers)")
            try daemon.waitForLog("which others keep locked")
            try holder.end()
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            #expect(try daemon.call("ListPodSandbox").ids("items") == [])
            #expect(pod.leftovers() == [])
        }
    }

    /// A program that is stopped while it reads the registry holds up nobody. SQLite's log grows meanwhile: who
    /// registers hears of that.
    @Test func aReaderThatIsStopped() async throws {
        try await withDaemon { daemon, node in
            let pods = try (0..<3).map { try node.pod("pod-\($0)", []) }
            let reader = try StoppedReader(node.registryPath, mebibytes: 17)
            defer { try? reader.end() }
            let warning = "keeps reading the registry; let it go on if it is stopped (kill -CONT \(reader.pid))"
            func warnings(of pod: SamplePod) throws -> [String] {
                let answer = try daemon.removal("RegisterPodSandbox", RemovalServiceTests.registration(pod))
                #expect(answer.code == "OK", "\(answer)")
                return (answer.response["warnings"] as? [String] ?? []).filter { $0.contains("has grown") }
            }
            for pod in pods.dropLast() {
                #expect(try warnings(of: pod).first?.contains(warning) == true)
                #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id], timeout: 20).code == "OK")
                #expect(pod.leftovers() == [])
            }
            try daemon.waitForLog(warning)
            #expect(try node.podreap(["ps"]).errors.contains(warning))
            try reader.end()
            // Whoever writes next empties it.
            let pod = pods[2]
            _ = try warnings(of: pod)
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            #expect(try !node.podreap(["ps"]).errors.contains("warning"))
        }
    }

    /// A kubelet asks for the status, and has less time than the runtimes take.
    @Test func aRuntimeThatNeverAnswers() async throws {
        try await withDaemon { daemon, node in
            #expect(try daemon.removal("CollectGarbage").code == "OK")
            let helpers = try StoppedHelpers(of: daemon.program.pid)
            defer { helpers.goOn() }
            #expect(try daemon.call("Status", timeout: 1).code == "DEADLINE_EXCEEDED")
            try daemon.waitForLog("the runtimes' answer was not available within", seconds: 10)
            helpers.goOn()
            let conditions = try daemon.call("Status").status["conditions"] as? [[String: Any]]
            #expect(conditions?.first?["status"] as? Bool == true, "\(String(describing: conditions))")
        }
    }

    @Test func aHelperThatNeverAnswers() async throws {
        try await withDaemon { daemon, node in
            let (pod, other) = (try daemon.pod("known"), try node.pod("new"))
            #expect(try daemon.removal("CollectGarbage").code == "OK")
            let helpers = try StoppedHelpers(of: daemon.program.pid)
            defer { helpers.goOn() }
            let registration = RemovalServiceTests.registration(other)
            let code = try daemon.calls([
                [Call("RegisterPodSandbox", registration, service: "Removal", timeout: 1)]
            ])[0].code
            #expect(code == "DEADLINE_EXCEEDED")
            // It says so itself, and not only its client.
            try daemon.waitForLog("was not available within")
            helpers.goOn()
            #expect(try daemon.call("ListPodSandbox").ids("items") == [pod.id])
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            #expect(pod.leftovers() == [])
        }
    }
}
