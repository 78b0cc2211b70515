import Foundation
import NodeObservation
import SamplePod
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Pods that are stuck only where a frozen cgroup keeps KILL waiting; not run on version 2.
@Suite(.serialized) struct Version1StuckPodTests {
    @Test func frozenCgroup() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let container = pod.workloads[0]
            // Above the container's own: what is frozen there or beneath, a removal thaws.
            let freezer = Cgroups.freezer
            let own = try #require(container.cgroups.first { $0.hasPrefix(freezer.hierarchy) })
            let above = URL(filePath: own).deletingLastPathComponent().path()
            let frozen = above.hasSuffix("/") ? String(above.dropLast()) : above
            try freezer.freeze(frozen)
            defer { try? freezer.thaw(frozen) }

            #expect(try await orchestrator.removed(pod.id, options: impatient).outcome == .incomplete)
            let finding = try orchestrator.explain(pod).first(.frozenCgroup)
            #expect(finding.weight == .blocks)
            #expect(finding.evidence.first?.path == frozen)
            #expect(finding.evidence.contains { $0.pid == container.pid })

            try shell(try #require(finding.remedies.first))
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }
}
