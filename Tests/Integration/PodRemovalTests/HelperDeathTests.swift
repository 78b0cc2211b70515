import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// Helpers that are killed are replaced, and the removal goes on.
@Suite(.serialized) struct HelperDeathTests {
    /// Kills every helper of this process, busy or not; how many.
    static func killHelpers() throws -> Int {
        let helpers = try NodeProcess(getpid()).children().filter { pid in
            (try? NodeProcess(pid).read("comm")) == "podreap-helper\n"
        }
        for pid in helpers { kill(pid, SIGKILL) }
        return helpers.count
    }

    /// When a step of each kind begins, every helper dies, with whatever it was doing and where it was only waiting.
    @Test(arguments: [
        "mark", "end", "delete", "unmount", "remove-directory", "delete-namespace", "release-name", "forget",
    ])
    func whenAStepBegins(_ verb: String) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let killed = Mutex(0)
            let report = try await orchestrator.removed(pod.id) { event in
                guard case .started(let step) = event, step.verb == verb else { return }
                killed.withLock { killed in if killed == 0 { killed = (try? Self.killHelpers()) ?? 0 } }
            }
            #expect(killed.withLock { $0 } > 0)
            #expect(report.failures == [])
            #expect(report.outcome == .removed)
            #expect(pod.leftovers() == [])
            #expect(node.sample.volumeIsIntact)
        }
    }

    /// In the middle of a large tree.
    @Test func amongManyFiles() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(files: 12_000)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let deaths = Mutex(0)
            let report = try await orchestrator.removed(pod.id, options: RemovalOptions(sliceEntries: 2000)) { event in
                guard case .progress(_, let entries) = event, entries < 6000 else { return }
                let killed = (try? Self.killHelpers()) ?? 0
                deaths.withLock { $0 += killed }
            }
            #expect(deaths.withLock { $0 } > 1)
            #expect(report.failures == [])
            #expect(report.outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    @Test func duringAStop() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let report = try await orchestrator.stopped(pod.id) { event in
                guard case .started(let step) = event, step.verb == "unmount" else { return }
                _ = try? Self.killHelpers()
            }
            #expect(report.outcome == .stopped)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }
}
