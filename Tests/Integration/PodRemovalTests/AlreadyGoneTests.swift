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

    enum Successor: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case directory, containerDirectory, namespace, shm

        var testDescription: String { rawValue }

        /// Somebody takes the pod's thing away and puts another in its place; `data` is in it.
        func takePlace(in pod: SamplePod) throws -> String {
            let workload = pod.workloads[0]
            switch self {
            case .directory:
                try shell(
                    "umount -l \(pod.shm) && rm -r \(pod.directory) && mkdir \(pod.directory) && touch \(pod.directory)/data"
                )
                return "\(pod.directory)/data"
            case .containerDirectory:
                try shell(
                    """
                    umount -l \(workload.directory)/rootfs \(workload.directory)/volume && rm -r \(workload.directory)
                    mkdir -p \(workload.directory)/volume && mount -t tmpfs other \(workload.directory)/volume
                    touch \(workload.directory)/volume/data
                    """)
                return "\(workload.directory)/volume/data"
            case .namespace:
                try shell("umount -l \(pod.netns) && unshare --net=\(pod.netns) true")
                return pod.netns
            case .shm:
                try shell(
                    """
                    umount -l \(pod.shm) && rm -r \(pod.directory) && mkdir -p \(pod.shm)
                    mount -t tmpfs other \(pod.shm) && touch \(pod.shm)/data
                    """)
                return "\(pod.shm)/data"
            }
        }
    }

    /// What has the place of the pod's by now is another's, and stays; nothing of the pod is left, so it is removed.
    @Test(arguments: Successor.allCases)
    func leavesWhatHasItsPlaceByNow(_ successor: Successor) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            // Its containers are gone, as where a node was cleaned by hand.
            try shell(
                pod.containers.map { "\(pod.node.runtime) --root \(pod.node.runtimeRoot) delete --force \($0.id)" }
                    .joined(separator: "\n"))
            let data = try successor.takePlace(in: pod)
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(report.steps.contains { $0.detail?.contains("not the pod's") == true }, "\(report.steps)")
            #expect(try orchestrator.registry.sandboxes().isEmpty)
            if successor == .namespace {
                #expect(pod.mountPoints(beneath: data) == [data])
            } else {
                #expect(FileManager.default.fileExists(atPath: data))
            }
            #expect(node.sample.volumeIsIntact)
        }
    }

    /// A process that somebody has put into a cgroup beneath the container's: the runtime does not see it.
    @Test func endsWhatIsBeneathAContainersCgroup() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let inner = "\(pod.workloads[0].cgroups[0])/guest"
            try shell("mkdir \(inner); sleep 1000 >/dev/null 2>&1 & echo $! >\(inner)/cgroup.procs")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }
}
