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

    @Test(arguments: Damage.allCases) func isNeverReportedAsRemoved(_ damage: Damage) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let app = pod.workloads[0]
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let state = "\(pod.node.runtimeRoot)/\(app.id)"
            try shell("cp -a \(state) /mnt/saved-state; cd \(state) && \(damage.rawValue)")
            defer { _ = try? shell("rm -rf /mnt/saved-state") }
            let options = RemovalOptions(runtimeCall: .seconds(5), afterKill: .milliseconds(500))
            let report = try await orchestrator.removed(pod.id, options: options)
            #expect(report.outcome == .incomplete)
            #expect(report.failures.map(\.subject) == [app.id], "\(report.failures)")
            #expect(report.failures.first?.detail?.contains("\(app.pid)") == true, "\(report.failures)")
            #expect(NodeProcess(app.pid).isAlive)
            #expect(!pod.mountPoints(beneath: app.directory).isEmpty)
            #expect(try orchestrator.registry.sandbox(pod.id)?.state == .removing)
            // Somebody repairs it, and the next call goes on.
            try shell("rm -rf \(state) && cp -a /mnt/saved-state \(state)")
            let second = try await orchestrator.removed(pod.id)
            #expect(second.outcome == .removed, "\(second.failures)")
            #expect(pod.leftovers() == [])
        }
    }
}
