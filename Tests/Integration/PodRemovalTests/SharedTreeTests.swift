import Foundation
import SamplePod
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// A large directory of many directories, which two helpers remove parts of at once.
@Suite(.serialized) struct SharedTreeTests {
    /// The entries that the removal of a pod's largest directory counts, and what was told meanwhile.
    private func remove(_ node: PodNode, slice: UInt32) async throws -> (count: UInt64?, told: [UInt64]) {
        let pod = try node.pod("web", [Workload(files: 9000)])
        let directory = pod.workloads[0].directory
        let orchestrator = try node.orchestrator()
        try await orchestrator.register(pod)
        let told = Mutex<[UInt64]>([])
        let report = try await orchestrator.removed(pod.id, options: RemovalOptions(sliceEntries: slice)) { event in
            if case .progress(_, let entries) = event { told.withLock { $0.append(entries) } }
        }
        #expect(report.outcome == .removed)
        #expect(pod.leftovers() == [])
        let step = report.steps.first { $0.target == directory && $0.verb == "remove-directory" }
        return (step?.entries, told.withLock { $0 })
    }

    @Test func countsWhatOneWouldCount() async throws {
        try await withPodNode { node in
            let whole = try await remove(node, slice: 1_000_000)
            let shared = try await remove(node, slice: 1000)
            #expect(whole.count ?? 0 > 9090 && shared.count == whole.count)
            // A first slice of the whole, and then of the shares.
            #expect((1...4).contains(whole.told.count), "\(whole.told)")
            #expect(shared.told.count >= 7 && shared.told == shared.told.sorted(), "\(shared.told)")
        }
    }
}
