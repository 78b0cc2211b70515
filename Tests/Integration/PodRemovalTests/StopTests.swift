import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Stopping ends what runs and keeps what is on disk.
@Suite(.serialized) struct StopTests {
    @Test(arguments: [PIDNamespace.container, .pod, .host])
    func endsWhatRuns(_ pidNamespace: PIDNamespace) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload(.leavesChild)], pidNamespace)
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let events = Events()
            let report = try await orchestrator.stopped(pod.id, tell: events.tell)
            #expect(report.outcome == .stopped)
            #expect(report.failures == [])
            #expect(report.steps.filter { $0.verb == "end" }.map(\.outcome) == pod.containers.map { _ in .done })

            let left = pod.leftovers()
            #expect(!left.contains { $0.hasPrefix("process") })
            #expect(!left.contains { $0.contains(pod.netns) || $0.contains(pod.shm) })
            for place in [pod.directory] + pod.containers.map(\.directory) {
                #expect(left.contains("directory entry \(place)"))
            }
            let sandbox = try #require(try orchestrator.registry.sandbox(pod.id))
            #expect(sandbox.state == .notReady)
            #expect(sandbox.namespaces.map(\.closed) == [true])
            expectInfraLast(events, pod)
        }
    }

    /// The infra container's end begins when every workload's is over.
    private func expectInfraLast(_ events: Events, _ pod: SamplePod) {
        let begun = events.first {
            if case .started(let step) = $0 { step.verb == "end" && step.subject.id == pod.infra.id } else { false }
        }
        for workload in pod.workloads {
            let ended = events.first {
                if case .finished(let step, _) = $0 {
                    step.verb == "end" && step.subject.id == workload.id
                } else {
                    false
                }
            }
            guard let begun, let ended else {
                Issue.record("no such event")
                continue
            }
            #expect(ended < begun)
        }
    }

    /// Who ignores TERM is killed when the grace is over, who does not has the time that it needs.
    @Test func graceIsKept() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let report = try await orchestrator.stopped(pod.id, grace: .seconds(1))
            let ends = report.steps.filter { $0.verb == "end" }
            let ignoring = try #require(ends.first { $0.subject == pod.workloads[0].id })
            let handling = try #require(ends.first { $0.subject == pod.workloads[1].id })
            #expect(report.outcome == .stopped)
            #expect(ignoring.duration >= .seconds(1))
            #expect(handling.duration < ignoring.duration)
        }
    }

    @Test func withoutGraceItKills() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload(isPaused: true)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            #expect(try await orchestrator.stopped(pod.id, grace: .zero).outcome == .stopped)
            #expect(!pod.leftovers().contains { $0.hasPrefix("process") })
        }
    }

    @Test func twiceAndThenRemoved() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            #expect(try await orchestrator.stopped(pod.id).outcome == .stopped)
            let left = pod.leftovers()
            let again = try await orchestrator.stopped(pod.id)
            #expect(again.outcome == .stopped)
            #expect(again.failures == [])
            #expect(pod.leftovers() == left)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
            #expect(try await orchestrator.stop(pod.id).isUnknown)
        }
    }

    /// A closed namespace's name may be another pod's by the time that the first one is removed.
    @Test func whatWasClosedIsNotTouchedAgain() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            _ = try await orchestrator.stopped(pod.id)
            try shell("touch \(pod.netns) && unshare --net=\(pod.netns) true")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(try mounts(beneath: pod.netns) == [pod.netns])
        }
    }
}
