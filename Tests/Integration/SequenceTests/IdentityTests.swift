import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// A record that comes late meets what has taken the names of what it knew: it is refused, and nothing is hit.
@Suite(.serialized) struct IdentityTests {
    /// The recorded pid is another process's now.
    @Test func reusedPID() async throws {
        try await withPodNode { node in
            let (pod, bystander) = (try node.pod(), try node.pod("bystander"))
            let orchestrator = try node.orchestrator()
            let registered = try await orchestrator.register(pod)
            let before = bystander.leftovers()
            // The same records, but with the other's pids, as after they were reused.
            try node.write("", as: "late")
            let late = try Orchestrator(path: "\(PodNode.rootLibrary)/late.sqlite", helper: TestNode.helper)
            var containers = registered.containers
            for (index, other) in bystander.containers.enumerated() {
                let time = containers[index].process?.startTime ?? 1
                containers[index].process = ProcessReference(pid: other.pid, startTime: time)
            }
            try late.registry.register(registered.sandbox, containers)
            let report = try await late.removed(pod.id)
            // Their own processes are found by their cgroups.
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(pod.leftovers() == [])
            #expect(bystander.leftovers() == before)
        }
    }

    /// A record from before a boot, whose names were all given again: the containers run, so nothing of them is touched.
    @Test func afterReboot() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            let registered = try await orchestrator.register(pod)
            let before = pod.leftovers()
            let late = try Orchestrator(path: "\(PodNode.rootLibrary)/late.sqlite", helper: TestNode.helper)
            var sandbox = registered.sandbox
            sandbox.bootID = "11111111-2222-3333-4444-555555555555"
            try late.registry.register(sandbox, registered.containers)
            for stops in [true, false] {
                let report = stops ? try await late.stopped(pod.id) : try await late.removed(pod.id)
                #expect(report.outcome == .incomplete)
                #expect(report.failures.allSatisfy { $0.verb == "end" }, "\(report.failures)")
                #expect(report.failures.first?.detail?.contains("before the machine was booted") == true)
                #expect(pod.leftovers() == before)
            }
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
        }
    }

    /// The directories and the namespace were replaced since.
    @Test func replaced() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let directory = pod.workloads[0].directory
            // A stop leaves directories; somebody else makes others in their places, and a namespace in the pin's.
            #expect(try await orchestrator.stopped(pod.id, grace: .zero).outcome == .stopped)
            try shell(
                """
                umount -l \(directory)/rootfs \(directory)/volume
                mv \(directory) \(directory)-old && mkdir \(directory) && echo mine >\(directory)/data
                touch \(pod.netns) && unshare --net=\(pod.netns) true
                """)
            let report = try await orchestrator.removed(pod.id)
            #expect(report.outcome == .removed, "\(report.failures)")
            let step = try #require(report.steps.first { $0.target == directory && $0.verb == "remove-directory" })
            #expect(step.detail?.contains("another directory is at its path") == true, "\(step)")
            #expect(try String(contentsOfFile: "\(directory)/data", encoding: .utf8) == "mine\n")
            #expect(pod.mountPoints(beneath: pod.netns) == [pod.netns], "it was closed: what is there now is another's")
            try shell("rm -r \(directory) \(directory)-old && umount \(pod.netns) && rm \(pod.netns)")
            #expect(pod.leftovers() == [])
        }
    }
}
