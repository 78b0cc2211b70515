import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// What somebody else has done already is done.
@Suite(.serialized) struct AlreadyGoneTests {
    enum Deed: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case initKilled, everyProcessKilled, deletedByRuntime, containerDirectoryRemoved, sandboxDirectoryRemoved
        case shmUnmounted, namespaceDeleted, namespaceUnmounted, cgroupsRemoved, allRemoved

        var testDescription: String { rawValue }

        func carryOut(_ pod: SamplePod) throws {
            let workload = pod.workloads[0]
            let runtime = "\(pod.node.runtime) --root \(pod.node.runtimeRoot)"
            switch self {
            case .initKilled: try shell("kill -KILL \(workload.pid)")
            case .everyProcessKilled:
                try shell("kill -KILL \(pod.containers.map { "\($0.pid)" }.joined(separator: " "))")
            case .deletedByRuntime: try shell("\(runtime) delete --force \(workload.id)")
            case .containerDirectoryRemoved:
                try shell(
                    """
                    \(runtime) delete --force \(workload.id)
                    umount -l \(workload.directory)/rootfs \(workload.directory)/volume && rm -r \(workload.directory)
                    """)
            case .sandboxDirectoryRemoved: try shell("umount -l \(pod.shm) && rm -r \(pod.directory)")
            case .shmUnmounted: try shell("umount -l \(pod.shm)")
            case .namespaceDeleted: try shell("umount -l \(pod.netns) && rm \(pod.netns)")
            case .namespaceUnmounted: try shell("umount -l \(pod.netns)")
            case .cgroupsRemoved:
                try shell(
                    """
                    \(runtime) delete --force \(workload.id)
                    rmdir \(workload.cgroups.joined(separator: " ")) || true
                    """)
            case .allRemoved: pod.destroy()
            }
        }
    }

    @Test(arguments: Deed.allCases)
    func isNoObstacle(_ deed: Deed) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try deed.carryOut(pod)
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed)
            #expect(report.failures == [])
            #expect(pod.leftovers() == [])
            #expect(node.sample.volumeIsIntact)
            #expect(try orchestrator.registry.sandboxes().isEmpty)
        }
    }

    @Test(arguments: Deed.allCases)
    func isNoObstacleToAStop(_ deed: Deed) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try deed.carryOut(pod)
            let report = try await orchestrator.stopped(pod.id)
            #expect(report.outcome == .stopped)
            #expect(report.failures == [])
            #expect(!pod.leftovers().contains { $0.hasPrefix("process") || $0.contains(pod.netns) })
        }
    }
}
