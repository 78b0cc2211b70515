import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// A step that cannot be done leaves the sandbox `removing`, says which and why, and stops only what depends on it. When the
/// obstacle is gone, the next call does the rest.
@Suite(.serialized) struct FailureTests {
    enum Obstacle: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case immutableDirectory, immutableFile, lostState

        var testDescription: String { rawValue }

        func put(_ pod: SamplePod) throws {
            let workload = pod.workloads[0]
            switch self {
            case .immutableDirectory:
                try shell("mkdir \(workload.directory)/kept && chattr +i \(workload.directory)/kept")
            case .immutableFile: try shell("touch \(pod.directory)/kept && chattr +i \(pod.directory)/kept")
            case .lostState: try shell("rm -r \(pod.node.runtimeRoot)/\(workload.id)")
            }
        }

        func take(_ pod: SamplePod) throws {
            let workload = pod.workloads[0]
            switch self {
            case .immutableDirectory: try shell("chattr -i \(workload.directory)/kept")
            case .immutableFile: try shell("chattr -i \(pod.directory)/kept")
            case .lostState: try shell("kill -KILL \(workload.pid)")
            }
        }

        /// The step that fails, and what its reason contains.
        func failure(_ pod: SamplePod) -> (verb: String, reason: String) {
            switch self {
            case .immutableDirectory, .immutableFile: ("remove-directory", "immutable or append-only")
            case .lostState:
                ("end", "runc does not know the container any more, but its process \(pod.workloads[0].pid)")
            }
        }
    }

    private static let patience = RemovalOptions(afterKill: .seconds(1))

    @Test(arguments: Obstacle.allCases)
    func isNamedAndResumed(_ obstacle: Obstacle) async throws {
        // A filesystem on which chattr(1) works on every kernel.
        try await withPodNode(base: "/mnt/ext4/pods") { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try obstacle.put(pod)

            let report = try await orchestrator.removed(pod.id, options: Self.patience)
            #expect(report.outcome == .incomplete)
            let failure = try #require(report.failures.first)
            let expected = obstacle.failure(pod)
            #expect(report.failures.count == 1)
            #expect(failure.verb == expected.verb)
            #expect(failure.detail?.contains(expected.reason) == true, "\(failure.detail ?? "")")
            #expect(report.steps.last?.outcome == .skipped)

            // What did not depend on it is done.
            let other = pod.workloads[1]
            #expect(!pod.leftovers().contains { $0.contains(other.id) })
            #expect(try orchestrator.registry.sandbox(pod.id)?.state == .removing)
            #expect(!(try orchestrator.registry.containers(of: pod.id).contains { $0.id == other.id }))
            #expect(try orchestrator.registry.reports(limit: 1).first?.outcome == "incomplete")
            let error = await #expect(throws: RemovalError.self) {
                try await orchestrator.register(try pod.documentWithoutProcesses())
            }
            #expect(
                error.map { "\($0)" } == "the sandbox \(pod.id) is being removed; nothing can be registered into it")

            try obstacle.take(pod)
            let next = try await orchestrator.removed(pod.id)
            #expect(next.outcome == .removed)
            #expect(next.failures == [])
            #expect(pod.leftovers() == [])
            #expect(node.sample.volumeIsIntact)
        }
    }

    /// What is not done in the given time is said to be so, and the next call does it.
    @Test func timeIsBounded() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(files: 500)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let report = try await orchestrator.removed(pod.id, options: RemovalOptions(timeout: .zero))
            #expect(report.outcome == .incomplete)
            #expect(
                report.failures.contains { $0.detail?.contains("the time for the whole removal (0 s) is over") == true }
            )
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }
}
