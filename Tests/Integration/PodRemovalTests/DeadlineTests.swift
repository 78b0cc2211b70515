import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import Synchronization
import TestNode
import TestPods
import Testing

/// What does not end by itself holds up no call for longer than the call's time.
@Suite(.serialized) struct DeadlineTests {
    private static let short: Duration = .seconds(1)

    /// Expects that `body` says within its second that something was not available, and what.
    private func expectOverdue(
        _ what: String, _ body: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: RemovalError.self, sourceLocation: sourceLocation) { try await body() }
        guard case .overdue(let text, Self.short) = error else {
            Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
            return
        }
        #expect(text.contains(what), sourceLocation: sourceLocation)
    }

    /// Helpers that were started and answer nothing any more.
    @Test func aHelperThatNeverAnswers() async throws {
        try await withPodNode { node in
            let (pod, other) = (try node.pod("known"), try node.pod("new"))
            let orchestrator = try node.orchestrator()
            _ = try await orchestrator.register(pod)
            let document = try other.document()
            let container = try #require(document.containers.first { !$0.isInfra })
            var calls = 0
            func call(_ what: String, _ body: () async throws -> Void) async throws {
                // Each call leaves a helper that answers nothing, and a new one would be started in its place.
                _ = try await orchestrator.garbage(timeout: .seconds(60))
                let helpers = try StoppedHelpers(of: getpid())
                await expectOverdue(what, body)
                helpers.goOn()
                calls += 1
            }
            try await call("sandbox.directory: ") {
                _ = try await orchestrator.register(document, timeout: Self.short)
            }
            try await call("containers[0].directories[0]: ") {
                _ = try await orchestrator.register([container], into: pod.id, timeout: Self.short)
            }
            try await call("a look at what is left") { _ = try await orchestrator.garbage(timeout: Self.short) }
            let known = try #require(try orchestrator.find(container: pod.workloads[0].id))
            try await call(known.container.id) {
                _ = try await orchestrator.state(of: known.container, in: known.sandbox, timeout: Self.short)
            }
            try await call(known.container.id) {
                _ = try await orchestrator.verdict(on: known.container, in: known.sandbox, timeout: Self.short)
            }
            #expect(calls == 5)
            #expect(try orchestrator.registry.sandboxes().map(\.id) == [pod.id])
            #expect(try orchestrator.registry.containers(of: pod.id).count == pod.containers.count)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    /// Garbage that a helper was to remove when it stopped answering: who removes it is told, and it goes later.
    @Test func aHelperThatNeverAnswersToGarbage() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            for container in pod.containers { kill(container.pid, SIGKILL) }
            try await Task.sleep(for: .milliseconds(200))
            let orchestrator = try node.orchestrator()
            let facts = try await orchestrator.garbage()
            let verdict = facts.judge(olderThan: .zero).first {
                if case .remove = $0.decision { true } else { false }
            }
            let item = try #require(verdict)
            let helpers = try StoppedHelpers(of: getpid())
            await expectOverdue("a look at ") {
                _ = try await orchestrator.collect(item, from: facts, olderThan: .zero, timeout: Self.short)
            }
            helpers.goOn()
            #expect(try await orchestrator.collect(item, from: facts, olderThan: .zero) == nil)
        }
    }

    /// Another program's transaction, which does not end.
    @Test func aRegistryThatIsHeld() async throws {
        try await withPodNode { node in
            let (pod, other) = (try node.pod("known"), try node.pod("new"))
            let orchestrator = try node.orchestrator()
            let whole = try pod.document()
            var first = whole
            first.containers.removeAll { !$0.isInfra }
            _ = try await orchestrator.register(first)
            let document = try other.document()
            let holder = try RegistryHolder(orchestrator.registry.path)
            await expectOverdue("the registry, which others keep locked,") {
                _ = try await orchestrator.register(document, timeout: Self.short)
            }
            await expectOverdue("the registry, which others keep locked,") {
                let rest = whole.containers.filter { !$0.isInfra }
                _ = try await orchestrator.register(rest, into: pod.id, timeout: Self.short)
            }
            // What gc has to know can be read.
            _ = try await orchestrator.garbage(timeout: .seconds(60))
            let removal = try await orchestrator.removed(pod.id, options: RemovalOptions(timeout: Self.short))
            #expect(removal.outcome == .incomplete && removal.ranOutOfTime == true)
            try holder.end()
            // Nothing of what was given up happens later: what is written now comes after it.
            _ = try await orchestrator.register(document)
            let known = try #require(try orchestrator.registry.sandboxes().first { $0.id == pod.id })
            #expect(known.state == .ready)
            #expect(try orchestrator.registry.containers(of: pod.id).map(\.id) == [pod.infra.id])
            #expect(try await orchestrator.removed(other.id).outcome == .removed)
            #expect(other.leftovers() == [])
        }
    }

    /// A transaction that lasts longer than SQLite waits by itself: a removal that has the time waits for its end.
    @Test func aRegistryThatIsHeldForAWhile() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let holder = try RegistryHolder(orchestrator.registry.path)
            let isLast = Mutex(false)
            async let removal = orchestrator.removed(pod.id, options: RemovalOptions(timeout: .seconds(60))) { event in
                if case .started(let step) = event, step.verb == "forget" { isLast.withLock { $0 = true } }
            }
            while !isLast.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(20)) }
            try await Task.sleep(for: Registry.busyTimeout + .seconds(2))
            try holder.end()
            #expect(try await removal.outcome == .removed)
            #expect(try orchestrator.registry.sandboxes() == [])
            #expect(pod.leftovers() == [])
        }
    }

    /// Who works on the pod holds up what has to be alone, and nothing else.
    @Test func aLockThatIsHeld() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            let whole = try pod.document()
            var first = whole
            first.containers.removeAll { !$0.isInfra }
            _ = try await orchestrator.register(first)
            let holder = try LockHolderProcess(orchestrator.registry.path, pod.id)
            defer { try? holder.end() }
            let rest = whole.containers.filter { !$0.isInfra }
            _ = try await orchestrator.register(rest, into: pod.id, timeout: .seconds(60))
            _ = try await orchestrator.garbage(timeout: .seconds(60))
            let container = try #require(rest.first?.id)
            for call in ["removal", "stop", "removal of a container"] {
                let error = await #expect(throws: RemovalError.self) {
                    let options = RemovalOptions(timeout: Self.short)
                    switch call {
                    case "removal": _ = try await orchestrator.remove(pod.id, options: options)
                    case "stop": _ = try await orchestrator.stop(pod.id, grace: .seconds(300), options: options)
                    default: _ = try await orchestrator.remove(container: container, options: options)
                    }
                }
                guard case .busy(pod.id, Self.short, _) = error else {
                    Issue.record("\(call): \(String(describing: error))")
                    continue
                }
            }
        }
    }
}
