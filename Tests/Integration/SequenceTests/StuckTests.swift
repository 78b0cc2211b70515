import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Processes that survive KILL: they wait in the kernel for a FUSE server that does not answer.
@Suite(.serialized) struct StuckTests {
    private static let server = Result {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/stuck-fuse.c")
        return try TestPrograms.compile(source.path())
    }

    /// It is told which process, nothing beneath its container is touched, all that is independent of it is done, and
    /// the next call does the rest.
    @Test func isReportedAndResumed() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload()])
            let (stuck, other) = (pod.workloads[0], pod.workloads[1])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try shell("mkdir -p /mnt/stuck")
            var start = ProgramStart(try Self.server.get(), ["/mnt/stuck"])
            start.input = 0
            start.output = .read
            let fuse = try Program(start)
            defer { _ = try? shell("umount -l /mnt/stuck || true") }
            #expect(try fuse.readLine() == "ready\n")
            // A process of the container, in all its cgroups.
            let output = try shell(
                """
                setsid sh -c 'for c in \(stuck.cgroups.joined(separator: " ")); do \
                    [ ! -d $c ] || echo $$ >$c/cgroup.procs; done; echo $$ >/mnt/stuck.pid; exec stat /mnt/stuck/x' \
                    </dev/null >/dev/null 2>&1 &
                while ! [ -s /mnt/stuck.pid ]; do sleep 0.01; done
                cat /mnt/stuck.pid
                """, seconds: 20)
            let pid = try #require(Int32(output.trimmingCharacters(in: .whitespacesAndNewlines)))

            #expect(try fuse.readLine() == "asked\n")
            let options = RemovalOptions(timeout: .seconds(20), runtimeCall: .seconds(3), afterKill: .milliseconds(500))
            for _ in 0..<2 {
                let report = try await orchestrator.removed(pod.id, options: options)
                #expect(report.outcome == .incomplete)
                let failure = try #require(report.failures.first)
                #expect(failure.subject == stuck.id)
                #expect(failure.detail?.contains("process \(pid) (stat, state D)") == true, "\(report.failures)")
                #expect(!pod.mountPoints(beneath: stuck.directory).isEmpty)
                #expect(!FileManager.default.fileExists(atPath: other.directory))
                #expect(try orchestrator.registry.containers(of: pod.id).contains { $0.id == stuck.id })
                #expect(try !orchestrator.registry.containers(of: pod.id).contains { $0.id == other.id })
                #expect(NodeProcess(pid).isAlive)
            }
            fuse.kill()
            #expect(NodeProcess.waitForEnd(of: [pid], seconds: 10) == [])
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(pod.leftovers() == [])
        }
    }
}
