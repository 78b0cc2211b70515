import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Containers whose processes no signal reaches: a frozen cgroup of version 1 keeps even KILL waiting. On version 2 KILL
/// reaches them, and the cgroup must not stay frozen.
@Suite(.serialized) struct FrozenTests {
    private let freezer = Cgroups.freezer

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

    private static let patient = RemovalOptions(afterKill: .seconds(5))

    private func command(_ how: String, _ pod: SamplePod) -> String {
        how == "pause"
            ? "\(pod.node.runtime) --root \(pod.node.runtimeRoot) pause $id"
            : "echo \(freezer.frozen) >\(freezer.hierarchy)\(SampleNode.cgroup)/$id/\(freezer.file)"
    }
}

/// A pod of a runtime on a node of its own, where crun makes containers too.
func withPod(
    _ runtime: String, _ body: (SamplePod, Orchestrator) async throws -> Void,
    isolation: isolated (any Actor)? = #isolation,
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
