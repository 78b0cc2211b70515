import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Pods of all shapes go without a trace, and nothing else does.
@Suite(.serialized) struct ShapeTests {
    @Test(arguments: Shape.allCases)
    func isRemovedWithoutATrace(_ shape: Shape) async throws {
        try await withPodNode { node in
            let pod = try shape.pod(on: node)
            let bystander = try node.pod("bystander", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            let registration = try await orchestrator.register(try shape.document(of: pod))
            #expect(registration.warnings == [])
            try await orchestrator.register(bystander)
            let before = bystander.leftovers()
            let hostShm = try mounts(beneath: "/dev/shm")
            try shell("touch /dev/shm/podreap-test")

            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed)
            #expect(report.failures == [])
            #expect(report.warnings == [])
            let left = pod.leftovers()
            #expect(left.filter { !shape.isForeign($0, to: pod) } == [])
            #expect(left.contains { shape.isForeign($0, to: pod) } == (shape == .hostNetwork))
            #expect(node.sample.volumeIsIntact)
            if shape == .foreignMount { #expect(try shell("cat \(Shape.foreign)/deep/file") == "mine\n") }
            try shell("rm /dev/shm/podreap-test")
            #expect(try mounts(beneath: "/dev/shm") == hostShm)

            #expect(bystander.leftovers() == before)
            #expect(try orchestrator.registry.sandboxes().map(\.id) == [bystander.id])
            #expect(try orchestrator.registry.containers(of: bystander.id).count == 2)
            #expect(try await orchestrator.removed(bystander.id).outcome == .removed)
            #expect(bystander.leftovers() == [])
        }
    }

    @Test func namesAreFreeRightAfter() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            _ = try await orchestrator.removed(pod.id)
            #expect(try orchestrator.registry.levelsInUse().isEmpty)
            let again = try await orchestrator.register(try pod.documentWithoutProcesses())
            #expect(again.warnings.contains { $0.contains(pod.infra.id) && $0.contains("does not know") })
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(try orchestrator.registry.sandboxes().isEmpty)
        }
    }

    /// The second time there is nothing to do, and the answer says what happened before.
    @Test func twice() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            _ = try await orchestrator.removed(pod.id)
            guard case .unknown(let id, let last?) = try await orchestrator.remove(pod.id) else {
                Issue.record("the sandbox is known, or its end is not")
                return
            }
            #expect(id == pod.id && last.outcome == "removed" && last.podName.hasPrefix("web_default_"))
        }
    }

    /// Only the whole id removes a pod, also when another's begins so: that is found in a call of its own.
    @Test func byTheWholeOfItsId() async throws {
        try await withPodNode { node in
            let pods = [try node.pod("one", []), try node.pod("two", [])]
            let orchestrator = try node.orchestrator()
            for (pod, id) in zip(pods, ["abc", "abc2"]) {
                var document = try pod.document()
                document.sandbox.id = id
                for index in document.containers.indices { document.containers[index].sandboxID = id }
                _ = try await orchestrator.register(document)
            }
            let before = pods[1].leftovers()
            #expect(try await orchestrator.remove("ab").isUnknown)
            #expect(throws: RemovalError.self) { try orchestrator.resolve("ab") }
            #expect(try await orchestrator.removed("abc").sandbox == "abc")
            #expect(try await orchestrator.remove("abc").isUnknown)
            #expect(try await orchestrator.stop("abc").isUnknown)
            #expect(pods[0].leftovers() == [])
            #expect(pods[1].leftovers() == before)
            #expect(try orchestrator.resolve("abc")?.id == "abc2")
            #expect(try await orchestrator.removed("abc2").sandbox == "abc2")
            #expect(pods[1].leftovers() == [])
        }
    }
}
