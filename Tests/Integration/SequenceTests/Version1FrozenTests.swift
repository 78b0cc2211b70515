import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// A frozen cgroup of version 1 that no runtime thaws: not even KILL ends who is in it.
@Suite(.serialized) struct Version1FrozenTests {
    private let freezer = Cgroups.freezer

    /// More containers that do not die than are killed at once at first: the others are gone long before the patience with those is over.
    @Test func othersDoNotWaitForWhatDoesNotDie() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", (0..<8).map { _ in Workload() })
            let orchestrator = try node.orchestrator()
            let parent = "\(freezer.hierarchy)\(SampleNode.cgroup)/\(pod.id)"
            try shell("mkdir \(parent)")
            defer { try? freezer.thaw(parent) }
            let frozen = Set(pod.workloads.dropLast().map(\.id))
            var document = try pod.document()
            for workload in pod.workloads where frozen.contains(workload.id) {
                let own = try #require(workload.cgroups.first { $0.hasPrefix(freezer.hierarchy) })
                try shell("for p in $(cat \(own)/cgroup.procs); do echo $p >\(parent)/cgroup.procs; done")
                let index = try #require(document.containers.firstIndex { $0.id == workload.id })
                document.containers[index].cgroups = workload.cgroups.filter { $0 != own }
            }
            _ = try await orchestrator.register(document)
            try freezer.freeze(parent)
            let events = Events()
            let options = RemovalOptions(afterKill: .seconds(3))
            let report = try await orchestrator.removed(pod.id, options: options, tell: events.tell)
            #expect(report.outcome == .incomplete)
            func ended(_ verb: String, _ isMeant: (String) -> Bool) -> Int? {
                events.first {
                    guard case .finished(let step, let record) = $0 else { return false }
                    return step.verb == verb && record.outcome != .skipped && isMeant(step.subject.id)
                }
            }
            let last = try #require(pod.workloads.last?.id)
            let released = try #require(ended("release-name") { $0 == last })
            let firstFailure = try #require(ended("end", frozen.contains))
            #expect(released < firstFailure)
            try freezer.thaw(parent)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            try shell("rmdir \(parent)")
            #expect(pod.leftovers() == [])
        }
    }

    /// No runtime thaws what is not its own: then it is said which cgroup is frozen, and how it is thawed.
    @Test(arguments: ["/usr/sbin/runc", "/usr/bin/crun"]) func aboveTheContainer(_ runtime: String) async throws {
        try await withPod(runtime) { pod, orchestrator in
            let parent = "\(freezer.hierarchy)\(SampleNode.cgroup)/\(pod.id)"
            let app = pod.workloads[0]
            let own = try #require(app.cgroups.first { $0.hasPrefix(freezer.hierarchy) })
            // Not the cgroup that the runtime knows, but one above the container's processes.
            try shell("mkdir \(parent); for p in $(cat \(own)/cgroup.procs); do echo $p >\(parent)/cgroup.procs; done")
            var document = try pod.document()
            for index in document.containers.indices where document.containers[index].id == app.id {
                document.containers[index].cgroups = app.cgroups.map { $0 == own ? parent : $0 }
            }
            _ = try await orchestrator.register(document)
            try freezer.freeze(parent)
            defer { try? freezer.thaw(parent) }
            let options = RemovalOptions(afterKill: .milliseconds(500))
            let report = try await orchestrator.removed(pod.id, options: options)
            #expect(report.outcome == .incomplete)
            let failure = try #require(report.failures.first)
            #expect(
                failure.detail?.contains("echo \(freezer.thawed) > \(parent)/\(freezer.file)") == true,
                "\(report.failures)")
            #expect(!pod.mountPoints(beneath: app.directory).isEmpty, "nothing is touched beneath a living container")
            try freezer.thaw(parent)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        } register: { _, _ in
        }
    }
}
