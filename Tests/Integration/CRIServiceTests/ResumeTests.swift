import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

@Suite(.serialized) struct ResumeTests {
    /// Whoever is killed between the first kill and the mark leaves a pod that the registry calls ready, and half of it dead.
    @Test func whatWasKilledBeforeItsMark() async throws {
        try await withPodNode { node in
            let (pod, other) = (try node.pod("begun"), try node.pod("untouched"))
            for pod in [pod, other] {
                let file = try node.write(pod.registration, as: "\(pod.id).json")
                try #require(try node.podreap(["register", file]).status == 0)
            }
            try LockHolderProcess(node.registryPath, pod.id, work: "remove").end()
            try LockHolderProcess(node.registryPath, other.id, work: "stop").end()
            let daemon = try Daemon(node)
            let deadline = ContinuousClock.now + .seconds(20)
            while !pod.leftovers().isEmpty, .now < deadline { try await Task.sleep(for: .milliseconds(20)) }
            #expect(pod.leftovers() == [])
            #expect(try daemon.call("ListPodSandbox").ids("items") == [other.id])
            _ = try daemon.end()
        }
    }
}
