import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

@Suite(.serialized) struct LoadTests {
    /// As many containers at once as the option says, and the infra container last of all that run.
    @Test(arguments: [1, 2]) func isBounded(_ bound: Int) async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload(), Workload()])
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let events = Events()
            let report = try await orchestrator.removed(
                pod.id, options: RemovalOptions(containersAtOnce: bound), tell: events.tell)
            #expect(report.outcome == .removed)
            var busy: [String: Int] = [:]
            var most = 0
            for event in events.all {
                switch event {
                case .started(let step) where step.subject.id != pod.id: busy[step.subject.id, default: 0] += 1
                case .finished(let step, _) where step.subject.id != pod.id: busy[step.subject.id, default: 0] -= 1
                default: break
                }
                most = max(most, busy.values.count { $0 > 0 })
            }
            #expect(most == bound)
            #expect(pod.leftovers() == [])
        }
    }

    /// No space for the registry: the helpers' steps are done all the same, and when there is room again the rest is.
    @Test func diskIsFull() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            try shell("mkdir -p /mnt/small && mount -t tmpfs -o size=2m,mode=0755 small /mnt/small")
            defer { _ = try? shell("umount -l /mnt/small") }
            let orchestrator = try Orchestrator(path: "/mnt/small/registry.sqlite", helper: TestNode.helper)
            try await orchestrator.register(pod)
            try shell("dd if=/dev/zero of=/mnt/small/fill bs=4k 2>/dev/null || true")
            let report = try await orchestrator.removed(pod.id)
            // What the log has room for already may be all that is written.
            #expect(report.failures.allSatisfy { $0.detail?.contains("no space") == true }, "\(report.failures)")
            #expect(pod.leftovers() == [])
            try shell("rm /mnt/small/fill")
            if report.outcome == .incomplete { #expect(try await orchestrator.removed(pod.id).outcome == .removed) }
            #expect(try orchestrator.registry.sandboxes().isEmpty)
            try orchestrator.registry.verify()
        }
    }

    /// Not even the log has room: what was removed stays removed, the pod stays registered, and both are said.
    @Test func diskIsFullBeforeTheFirstWord() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            try shell("mkdir -p /mnt/small && mount -t tmpfs -o size=2m,mode=0755 small /mnt/small")
            defer { _ = try? shell("umount -l /mnt/small") }
            let path = "/mnt/small/registry.sqlite"
            try await Orchestrator(path: path, helper: TestNode.helper).register(pod)
            // It empties the log when it goes, which the end of its last task may put off.
            let deadline = ContinuousClock.now + .seconds(20)
            while try shell("stat -c %s \(path)-wal") != "0\n" {
                try #require(.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
            try shell("dd if=/dev/zero of=/mnt/small/fill bs=4k 2>/dev/null || true")
            let orchestrator = try Orchestrator(path: path, helper: TestNode.helper)
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .incomplete)
            #expect(
                report.failures.contains { ["forget", "release-name"].contains($0.verb) })
            #expect(report.failures.allSatisfy { $0.detail?.contains("no space") == true }, "\(report.failures)")
            #expect(report.warnings.contains { $0.contains("the report could not be kept") }, "\(report.warnings)")
            #expect(pod.leftovers() == [])
            #expect(try orchestrator.registry.sandboxes().map(\.id) == [pod.id])
            try shell("rm /mnt/small/fill")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(try orchestrator.registry.sandboxes().isEmpty)
            try orchestrator.registry.verify()
        }
    }

    /// A container that was created and never started.
    @Test(arguments: ["remove", "stop"]) func neverStarted(_ purpose: String) async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let app = pod.workloads[0]
            let runc = "\(pod.node.runtime) --root \(pod.node.runtimeRoot)"
            // Killed and deleted behind podreap's back, and made again.
            try shell(
                """
                \(runc) delete --force \(app.id)
                \(runc) create --bundle \(app.directory) --pid-file \(app.directory)/pid \(app.id) </dev/null >/dev/null 2>&1
                """)
            let orchestrator = try node.orchestrator()
            _ = try await orchestrator.register(pod.documentWithoutProcesses())
            if purpose == "stop" {
                #expect(try await orchestrator.stopped(pod.id, grace: .milliseconds(200)).outcome == .stopped)
            }
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(pod.leftovers() == [])
        }
    }

    /// Somebody mounts in the container's directory while it is being removed: never deleted through, and gone in the end.
    @Test func mountsAppearMeanwhile() async throws {
        try await withPodNode { node in
            let pod = try node.pod("web", [Workload(files: 20_000)])
            let directory = pod.workloads[0].directory
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            try shell("mkdir -p /mnt/foreign && echo mine >/mnt/foreign/file")
            let report = try await orchestrator.removed(
                pod.id, options: RemovalOptions(sliceEntries: 4000)
            ) { event in
                guard case .progress(let step, _) = event, step.target == directory else { return }
                _ = try? shell("mkdir -p \(directory)/late && mount --bind /mnt/foreign \(directory)/late")
            }
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(try String(contentsOfFile: "/mnt/foreign/file", encoding: .utf8) == "mine\n")
            #expect(pod.leftovers() == [])
        }
    }
}
