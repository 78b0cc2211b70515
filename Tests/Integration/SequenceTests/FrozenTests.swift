import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Containers whose processes no signal reaches: a frozen cgroup of version 1 keeps even KILL waiting.
@Suite(.serialized) struct FrozenTests {
    private static let freezer = "/sys/fs/cgroup/freezer"

    /// By the runtime's own pause or from outside; crun does not thaw what it kills, and runc does.
    @Test(arguments: ["/usr/sbin/runc", "/usr/bin/crun"], ["pause", "freezer"])
    func isThawedAndRemoved(_ runtime: String, _ how: String) async throws {
        try await withPod(runtime) { pod, orchestrator in
            try shell("for id in \(pod.containers.map(\.id).joined(separator: " ")); do \(command(how, pod)); done")
            let report = try await orchestrator.removed(pod.id, options: Self.patient)
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(pod.leftovers() == [])
        }
    }

    /// A stop has the same to do.
    @Test(arguments: ["/usr/sbin/runc", "/usr/bin/crun"]) func isThawedAndStopped(_ runtime: String) async throws {
        try await withPod(runtime) { pod, orchestrator in
            try shell("for id in \(pod.workloads[0].id); do \(command("freezer", pod)); done")
            let report = try await orchestrator.stopped(pod.id, grace: .milliseconds(100))
            #expect(report.outcome == .stopped, "\(report.failures)")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    /// More containers that do not die than are killed at once at first: the others are gone long before the patience with those is over.
    @Test func othersDoNotWaitForWhatDoesNotDie() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", (0..<8).map { _ in Workload() })
            let orchestrator = try node.orchestrator()
            let parent = "\(Self.freezer)\(SampleNode.cgroup)/\(pod.id)"
            try shell("mkdir \(parent)")
            defer { _ = try? shell("[ ! -d \(parent) ] || echo THAWED >\(parent)/freezer.state") }
            let frozen = Set(pod.workloads.dropLast().map(\.id))
            var document = try pod.document()
            for workload in pod.workloads where frozen.contains(workload.id) {
                let own = try #require(workload.cgroups.first { $0.hasPrefix(Self.freezer) })
                try shell("for p in $(cat \(own)/cgroup.procs); do echo $p >\(parent)/cgroup.procs; done")
                let index = try #require(document.containers.firstIndex { $0.id == workload.id })
                document.containers[index].cgroups = workload.cgroups.filter { $0 != own }
            }
            _ = try await orchestrator.register(document)
            try shell("echo FROZEN >\(parent)/freezer.state")
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
            try shell("echo THAWED >\(parent)/freezer.state")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            try shell("rmdir \(parent)")
            #expect(pod.leftovers() == [])
        }
    }

    /// No runtime thaws what is not its own: then it is said which cgroup is frozen, and how it is thawed.
    @Test(arguments: ["/usr/sbin/runc", "/usr/bin/crun"]) func aboveTheContainer(_ runtime: String) async throws {
        try await withPod(runtime) { pod, orchestrator in
            let parent = "\(Self.freezer)\(SampleNode.cgroup)/\(pod.id)"
            let app = pod.workloads[0]
            let own = try #require(app.cgroups.first { $0.hasPrefix(Self.freezer) })
            // Not the cgroup that the runtime knows, but one above the container's processes.
            try shell("mkdir \(parent); for p in $(cat \(own)/cgroup.procs); do echo $p >\(parent)/cgroup.procs; done")
            var document = try pod.document()
            for index in document.containers.indices where document.containers[index].id == app.id {
                document.containers[index].cgroups = app.cgroups.map { $0 == own ? parent : $0 }
            }
            _ = try await orchestrator.register(document)
            try shell("echo FROZEN >\(parent)/freezer.state")
            defer { _ = try? shell("[ ! -d \(parent) ] || echo THAWED >\(parent)/freezer.state") }
            let options = RemovalOptions(afterKill: .milliseconds(500))
            let report = try await orchestrator.removed(pod.id, options: options)
            #expect(report.outcome == .incomplete)
            let failure = try #require(report.failures.first)
            #expect(failure.detail?.contains("echo THAWED > \(parent)/freezer.state") == true, "\(report.failures)")
            #expect(!pod.mountPoints(beneath: app.directory).isEmpty, "nothing is touched beneath a living container")
            try shell("echo THAWED >\(parent)/freezer.state")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        } register: { _, _ in
        }
    }

    private static let patient = RemovalOptions(afterKill: .seconds(5))

    private func command(_ how: String, _ pod: SamplePod) -> String {
        how == "pause"
            ? "\(pod.node.runtime) --root \(pod.node.runtimeRoot) pause $id"
            : "echo FROZEN >\(Self.freezer)\(SampleNode.cgroup)/$id/freezer.state"
    }

    private func withPod(
        _ runtime: String, _ body: (SamplePod, Orchestrator) async throws -> Void,
        register: (SamplePod, Orchestrator) async throws -> Void = { try await $1.register($0) }
    ) async throws {
        try await withPodNode { node in
            // crun makes no container where version 2 is mounted beside version 1.
            let unified = "/sys/fs/cgroup/unified"
            try shell("! mountpoint -q \(unified) || umount -l \(unified)")
            defer { _ = try? shell("[ ! -d \(unified) ] || mount -t cgroup2 cgroup2 \(unified)") }
            let sample = try SampleNode(base: "/mnt/frozen", runtime: runtime)
            defer { sample.destroy() }
            try node.setPolicy(sample.helperConf(caller: "\(PodNode.user)"))
            let pod = try SamplePod(on: sample)
            defer { pod.destroy() }
            let orchestrator = try node.orchestrator()
            try await register(pod, orchestrator)
            try await body(pod, orchestrator)
            #expect(sample.volumeIsIntact)
        }
    }
}
