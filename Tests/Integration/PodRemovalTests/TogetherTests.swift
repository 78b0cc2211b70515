import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// Two calls for one pod at once: one works, the other waits and gets the same answer.
@Suite(.serialized) struct TogetherTests {
    /// The second call begins while the first one holds the pod, because the first one's event begins it.
    @Test func removalsInOneProcess() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let second = Mutex<Task<RemovalAnswer, any Error>?>(nil)
            let events = Events()
            let first = try await orchestrator.remove(pod.id) { event in
                guard case .planned = event else { return }
                second.withLock { $0 = Task { try await orchestrator.remove(pod.id, tell: events.tell) } }
            }
            let task = try #require(second.withLock { $0 })
            let other = try await task.value
            #expect(!first.isJoined && other.isJoined)
            let (one, two) = (try first.report(), try other.report())
            #expect(one.outcome == .removed && two.outcome == .removed)
            #expect(one.sandbox == two.sandbox && one.steps.map(\.verb) == two.steps.map(\.verb))
            #expect(events.first { if case .waiting(pod.id) = $0 { true } else { false } } != nil)
            #expect(pod.leftovers() == [])
        }
    }

    /// A removal that comes while the pod is being stopped waits, and then does what the stop has left.
    @Test func removalDuringAStop() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let second = Mutex<Task<RemovalAnswer, any Error>?>(nil)
            let first = try await orchestrator.stop(pod.id) { event in
                guard case .planned = event else { return }
                second.withLock { $0 = Task { try await orchestrator.remove(pod.id) } }
            }
            #expect(try first.report().outcome == .stopped)
            let task = try #require(second.withLock { $0 })
            let other = try await task.value
            #expect(!other.isJoined)
            #expect(try other.report().outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    /// While the registry cannot be written, calls wait for it on threads of their own: what helpers answer is heard all the same.
    @Test func nobodyWaitsForTheDiskOfAnother() async throws {
        try await withPodNode { node in
            let pods = [try node.pod("one", (0..<8).map { _ in Workload() }), try node.pod("two")]
            let orchestrator = try node.orchestrator()
            for pod in pods { try await orchestrator.register(pod) }
            let locker = try Program(
                ProgramStart(
                    "/usr/bin/env",
                    [
                        "python3", "-c",
                        """
                        import sqlite3, sys
                        registry = sqlite3.connect(sys.argv[1], isolation_level=None)
                        registry.execute("BEGIN IMMEDIATE")
                        open("/mnt/library/locked", "w").close()
                        sys.stdin.read()
                        """, orchestrator.registry.path,
                    ]))
            while !FileManager.default.fileExists(atPath: "/mnt/library/locked") {
                try await Task.sleep(for: .milliseconds(5))
            }
            let (first, second) = (Events(), Events())
            let removals = [
                Task { try await orchestrator.removed(pods[0].id, tell: first.tell) },
                Task {
                    // Its records are read while the first one waits to write its mark.
                    while first.all.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
                    return try await orchestrator.removed(pods[1].id, tell: second.tell)
                },
            ]
            func hasEnded(_ events: Events, _ pod: SamplePod) -> Bool {
                events.first {
                    guard case .finished(let step, let record) = $0 else { return false }
                    return step.verb == "end" && step.subject.id == pod.infra.id && record.outcome == .done
                } != nil
            }
            // SQLite itself would give up after five seconds.
            let deadline = ContinuousClock.now + .seconds(4)
            while .now < deadline, !hasEnded(first, pods[0]) { try await Task.sleep(for: .milliseconds(10)) }
            let hasEnded = hasEnded(first, pods[0])
            #expect(hasEnded)
            locker.kill()
            _ = try locker.wait(seconds: 5)
            for removal in removals { #expect(try await removal.value.outcome == .removed) }
            for pod in pods { #expect(pod.leftovers() == []) }
        }
    }

    /// Many at once: one works, none fails, and each says that the pod is gone.
    @Test func manyRemovals() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let answers = try await withThrowingTaskGroup(of: RemovalAnswer.self) { group in
                for _ in 0..<12 { group.addTask { try await orchestrator.remove(pod.id) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { !$0.isJoined && !$0.isUnknown } == 1)
            for answer in answers where !answer.isUnknown { #expect(try answer.report().outcome == .removed) }
            #expect(pod.leftovers() == [])
        }
    }

    @Test func differentPods() async throws {
        try await withPodNode { node in
            let pods = try (0..<4).map { try node.pod("web-\($0)", [Workload()]) }
            let orchestrator = try node.orchestrator()
            for pod in pods { try await orchestrator.register(pod) }
            let reports = try await withThrowingTaskGroup(of: RemovalReport.self) { group in
                for pod in pods { group.addTask { try await orchestrator.removed(pod.id) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(reports.map(\.outcome) == pods.map { _ in .removed })
            for pod in pods { #expect(pod.leftovers() == []) }
            #expect(try orchestrator.registry.sandboxes().isEmpty)
        }
    }

    /// The caller's end does not end what was begun.
    @Test func cancelledCallerLeavesNothingHalfDone() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let caller = Task { try await orchestrator.removed(pod.id) }
            caller.cancel()
            #expect(try await caller.value.outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }
}
