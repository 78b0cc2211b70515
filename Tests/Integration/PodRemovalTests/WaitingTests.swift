import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// Calls that wait for others: for how long, for whom, and what they take from them.
@Suite(.serialized) struct WaitingTests {
    private func threads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
    }

    /// Each with a thread of its own, 255 would be all that there are, and nothing else would be done any more.
    @Test func manyWaitForAnotherProcess() async throws {
        try await withPodNode { node in
            let (pod, other) = (try node.pod("held"), try node.pod("free"))
            let orchestrator = try node.orchestrator()
            for pod in [pod, other] { try await orchestrator.register(pod) }
            let holder = try LockHolderProcess(orchestrator.registry.path, pod.id)
            holder.program.kill(SIGSTOP)
            let began = ContinuousClock.now
            let calls = (0..<400).map { _ in
                Task { try await orchestrator.remove(pod.id, options: RemovalOptions(timeout: .seconds(5))) }
            }
            try await Task.sleep(for: .seconds(1))
            #expect(try threads() < 60)
            // What nobody holds is done meanwhile.
            #expect(try await orchestrator.removed(other.id).outcome == .removed)
            #expect(.now - began < .seconds(5), "not only when the others had given up")
            for call in calls {
                let error = await #expect(throws: RemovalError.self) { try await call.value }
                guard case .busy(pod.id, .seconds(5), let name) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                #expect(name?.hasPrefix("process \(holder.program.pid), which is stopped") == true)
            }
            #expect(.now - began < .seconds(10))
            try holder.end()
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            for pod in [pod, other] { #expect(pod.leftovers() == []) }
        }
    }

    /// A removal does not wait until a stop has given a container all of its grace.
    @Test(arguments: [true, false]) func aRemovalCutsAnothersGrace(_ inOneProcess: Bool) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            // The other shares its registry, or has the same in another process.
            let other = inOneProcess ? orchestrator : try node.orchestrator()
            let stopping = Mutex(false)
            let began = ContinuousClock.now
            async let stop = orchestrator.stop(pod.id, grace: .seconds(300)) { event in
                if case .started(let step) = event, step.verb == "end" { stopping.withLock { $0 = true } }
            }
            while !stopping.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            let removal = try await other.removed(pod.id, options: RemovalOptions(timeout: .seconds(60)))
            #expect(removal.outcome == .removed)
            #expect(.now - began < .seconds(30))
            #expect(try await stop.report().outcome == .stopped)
            #expect(pod.leftovers() == [])
        }
    }

    /// What was done before a call began to wait does not answer it, also where the clock was set back since.
    @Test func whatWasDoneBeforeIsNotMine() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            var stale = try await orchestrator.stop(pod.id, grace: .zero).report().stored
            stale.startedAt = Date() + 3600
            try orchestrator.registry.keepReport(stale)
            let holder = try LockHolderProcess(orchestrator.registry.path, pod.id)
            let waiting = Mutex(false)
            async let answer = orchestrator.stop(pod.id, grace: .zero) { event in
                if case .waiting = event { waiting.withLock { $0 = true } }
            }
            while !waiting.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            try holder.end()
            #expect(try await !answer.isJoined)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
        }
    }

    /// Who had no time fails for himself; the others go on.
    @Test func anothersDeadlineIsNotMine() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let stopping = Mutex(false)
            async let hasty = orchestrator.stop(
                pod.id, grace: .seconds(300), options: RemovalOptions(timeout: .seconds(1))
            ) { event in
                if case .started(let step) = event, step.verb == "end" { stopping.withLock { $0 = true } }
            }
            while !stopping.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            let patient = try await orchestrator.stop(
                pod.id, grace: .seconds(2), options: RemovalOptions(timeout: .seconds(60)))
            #expect(try await hasty.report().outcome == .incomplete)
            #expect(try await hasty.report().ranOutOfTime == true)
            #expect(try patient.report().outcome == .stopped && !patient.isJoined)
        }
    }

    /// Whoever wants a program run before the namespaces go has it run, also where another removes the pod without.
    @Test(arguments: ["one process", "another's registry"]) func everyHookIsCalled(_ how: String) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let other = how == "one process" ? orchestrator : try node.orchestrator()
            let told = Mutex<[String]>([])
            let second = Mutex<Task<RemovalAnswer, any Error>?>(nil)
            let first = try await orchestrator.remove(pod.id) { event in
                guard case .planned = event else { return }
                let options = RemovalOptions(beforeNamespaces: { sandbox in told.withLock { $0.append(sandbox.id) } })
                second.withLock { $0 = Task { try await other.remove(pod.id, options: options) } }
                // Until it has seen that there is such a sandbox, and waits.
                usleep(300_000)
            }
            #expect(try first.report().outcome == .removed)
            let answer = try await #require(second.withLock { $0 }).value
            #expect(try answer.report().outcome == .removed)
            #expect(try answer.report().steps.map(\.verb) == ["before-namespaces"])
            #expect(told.withLock { $0 } == [pod.id])
            #expect(pod.leftovers() == [])
        }
    }

    /// Two callers' own code cannot be told to be the same, so each has its own called, also where both ask at once.
    @Test(arguments: ["one process", "another's registry"]) func everyClosureIsCalled(_ how: String) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(.ignoresTerm)])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let other = how == "one process" ? orchestrator : try node.orchestrator()
            let called = Mutex<[String]>([])
            let second = Mutex<Task<RemovalAnswer, any Error>?>(nil)
            func options(_ name: String) -> RemovalOptions {
                RemovalOptions(beforeNamespaces: { _ in called.withLock { $0.append(name) } })
            }
            let (mine, others) = (options("first"), options("second"))
            let first = try await orchestrator.remove(pod.id, options: mine) { event in
                guard case .planned = event else { return }
                second.withLock { $0 = Task { try await other.remove(pod.id, options: others) } }
                // Until it has seen that there is such a sandbox, and waits.
                usleep(300_000)
            }
            let answer = try await #require(second.withLock { $0 }).value
            #expect(try first.report().outcome == .removed && answer.report().outcome == .removed)
            #expect(called.withLock { $0 } == ["first", "second"])
            #expect(!answer.isJoined)
            #expect(pod.leftovers() == [])
        }
    }

    /// A thousand calls for one pod: one works.
    @Test func aThousandCallers() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let answers = try await withThrowingTaskGroup(of: RemovalAnswer.self) { group in
                for _ in 0..<1000 { group.addTask { try await orchestrator.remove(pod.id) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { !$0.isJoined && !$0.isUnknown } == 1)
            for answer in answers where !answer.isUnknown { #expect(try answer.report().outcome == .removed) }
            #expect(try threads() < 60)
            #expect(pod.leftovers() == [])
        }
    }
}
