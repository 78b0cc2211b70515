import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// runc itself, with a state that cannot be read while the container lives.
@Suite(.serialized) struct LostStateTests {
    enum Damage: String, CaseIterable {
        case garbage = "echo '{' >state.json"
        case empty = ": >state.json"
        case noFile = "rm state.json"
        case noDirectory = "rm -r $PWD"
        /// runc takes the process for another, and so for gone.
        case otherProcess = #"sed -i 's/"init_process_start":[0-9]*/"init_process_start":7/' state.json"#
    }

    /// Who lives is known from the record, from cgroups and from their names: it is ended without the runtime, which fails for ever.
    @Test(arguments: Damage.allCases.filter { $0 != .noDirectory })
    func isNoObstacle(_ damage: Damage) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try harm(pod, damage)
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(pod.leftovers() == [])
        }
    }

    /// Without even a directory nothing shows that the container was that runtime's, so the policy's word `kill` decides.
    @Test(arguments: [false, true]) func ofALostDirectoryThePolicyDecides(_ mayKill: Bool) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let app = pod.workloads[0]
            if mayKill {
                try node.setPolicy(
                    node.policy.split(separator: "\n").map { $0.hasPrefix("cgroup-root") ? "\($0) kill" : "\($0)" }
                        .joined(separator: "\n") + "\n")
            }
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try harm(pod, .noDirectory)
            let options = RemovalOptions(runtimeCall: .seconds(5), afterKill: .milliseconds(500))
            let report = try await orchestrator.removed(pod.id, options: options)
            if !mayKill {
                #expect(report.outcome == .incomplete)
                #expect(report.failures.map(\.subject) == [app.id], "\(report.failures)")
                #expect(report.failures.first?.detail?.contains("\(app.pid)") == true, "\(report.failures)")
                #expect(NodeProcess(app.pid).isAlive)
                #expect(!pod.mountPoints(beneath: app.directory).isEmpty)
                #expect(try orchestrator.registry.sandbox(pod.id)?.state == .removing)
                // Somebody ends it, and the next call goes on.
                try shell("kill -KILL \(app.pid)")
            }
            if !mayKill { #expect(try await orchestrator.removed(pod.id).outcome == .removed) }
            #expect(try orchestrator.registry.sandboxes().isEmpty)
            #expect(pod.leftovers() == [])
        }
    }

    private func harm(_ pod: SamplePod, _ damage: Damage) throws {
        try shell("cd \(pod.node.runtimeRoot)/\(pod.workloads[0].id) && \(damage.rawValue)")
    }
}
