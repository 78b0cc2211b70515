import Foundation
import NodeObservation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// Pods that are stuck for real: the cause is found, and what is said to help does.
@Suite(.serialized) struct StuckPodTests {
    /// A process of a container's that cannot be killed.
    private func put(_ command: String, into container: SamplePod.Container) throws -> Program {
        let joins = container.cgroups.map { "echo $$ >\($0)/cgroup.procs" }.joined(separator: "; ")
        return try Programs.script("\(joins); echo ready; exec \(command)")
    }

    @Test func processThatWaitsForADeafFilesystem() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let container = pod.workloads[0]
            let place = "\(container.directory)/deaf"
            try shell("mkdir \(place)")
            let server = try Programs.start(try Programs.deafFUSE.get(), place)
            let stuck = try put("stat \(place)/file", into: container)
            // It sleeps until a signal comes, which then cannot end it.
            #expect(try soon { try ProcessStatus.of(pid: stuck.pid)?.name == "stat" })

            let report = try await orchestrator.removed(pod.id, options: impatient)
            #expect(report.outcome == .incomplete)
            let explanation = try orchestrator.explain(pod)
            #expect(explanation.isBlocked)
            let process = try explanation.first(.waitingProcess)
            #expect(process.subject == container.name)
            #expect(process.evidence.first?.pid == stuck.pid)
            #expect(process.evidence.first?.text.contains("state D") == true)
            #expect(process.evidence.first?.text.contains("waits in ") == true)
            let filesystem = try explanation.first(.silentFilesystem)
            #expect(filesystem.evidence.first?.path == place)
            #expect(filesystem.text.contains("fuse.deaf"))
            let abort = try #require(filesystem.remedies.first).split(separator: " ").last.map(String.init) ?? ""
            #expect(abort.hasPrefix("/sys/fs/fuse/connections/"))

            // What the remedy says: the connection is given up, and the removal goes on.
            try shell(
                """
                [ -e \(abort) ] || mount -t fusectl none /sys/fs/fuse/connections
                echo 1 >\(abort)
                """)
            #expect(try stuck.wait(seconds: 10) != nil)
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
            server.kill()
        }
    }

    @Test func deadProcessThatNobodyReaps() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let container = pod.workloads[0]
            let parent = try Programs.start(try Programs.carelessParent.get(), "\(container.pid)")

            #expect(try await orchestrator.removed(pod.id, options: impatient).outcome == .incomplete)
            let explanation = try orchestrator.explain(pod)
            let finding = try explanation.first(.unreapedProcess)
            #expect(finding.weight == .blocks)
            #expect(finding.text.contains("\(parent.pid) ("))
            #expect(finding.text.contains("careless-parent"))
            #expect(!finding.text.contains("likely"))
            #expect(finding.evidence.first?.text.contains("state Z") == true)
            #expect(finding.remedies.first?.contains("\(parent.pid)") == true)

            parent.kill()
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    @Test func immutableFileAndMountsHeldElsewhere() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let directory = pod.workloads[0].directory
            try shell("echo kept >\(directory)/upper/kept; chattr +i \(directory)/upper/kept")
            let holder = try Programs.script(
                "exec unshare --mount --propagation private sh -c 'echo ready; exec sleep 1000'")
            let namespace = try NodeProcess(holder.pid).link("ns/mnt").filter(\.isNumber)

            let copy = try orchestrator.explain(pod).first(.mountCopy)
            #expect(copy.weight == .keeps)
            #expect(copy.evidence.allSatisfy { $0.pid == holder.pid && "\($0.mountNamespace ?? 0)" == namespace })
            #expect(copy.evidence.contains { $0.path == pod.shm })

            #expect(try await orchestrator.removed(pod.id, options: impatient).outcome == .incomplete)
            let explanation = try orchestrator.explain(pod)
            let finding = try explanation.first(.immutableEntry)
            #expect(finding.weight == .blocks)
            #expect(finding.text.contains(directory))
            #expect(finding.remedies.first?.contains("chattr -R -i -a \(directory)") == true)
            // With the directories that they lay on, the kernel has taken the copies away.
            #expect(!explanation.has(.mountCopy))

            try shell("chattr -R -i -a \(directory)")
            #expect(try await orchestrator.removed(pod.id).outcome == .removed)
            #expect(pod.leftovers() == [])
        }
    }

    @Test func aMountAtTheSamePathElsewhereIsNotThePods() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let mounts = [pod.directory, pod.node.containerRoot].flatMap { pod.mountPoints(beneath: $0) }
            let base = URL(filePath: pod.directory).deletingLastPathComponent().path()
            // Another node's directory of the same name, with a mount of its own.
            let other = try Programs.script(
                """
                exec unshare --mount --propagation private sh -euc '
                    umount -l \(mounts.joined(separator: " "))
                    mount -t tmpfs other \(base); mkdir -p \(pod.shm); mount -t tmpfs other \(pod.shm)
                    echo ready; exec sleep 1000'
                """)
            #expect(try !orchestrator.explain(pod).has(.mountCopy))
            other.kill()
        }
    }

    @Test func namespaceAndFilesInOtherHands() async throws {
        try await withPodNode { node in
            let pod = try node.pod()
            let orchestrator = try node.orchestrator()
            try await orchestrator.register(pod)
            let inside = try Programs.script("exec nsenter --net=\(pod.netns) sh -c 'echo ready; exec sleep 1000'")
            let worker = try Programs.script("cd \(pod.shm); exec 9>\(pod.shm)/open; echo ready; exec sleep 1000")
            try shell("touch /mnt/library/pin; mount --bind \(pod.netns) /mnt/library/pin")
            defer { _ = try? shell("umount -l /mnt/library/pin") }

            let explanation = try orchestrator.explain(pod)
            #expect(!explanation.isBlocked)
            #expect(explanation.has(.notAsked))
            #expect(explanation.has(.elsewhere))
            let held = try explanation.first(.namespaceHeld)
            #expect(held.evidence.contains { $0.pid == inside.pid })
            #expect(held.evidence.contains { $0.path == "/mnt/library/pin" })
            let used = explanation.findings.filter { $0.cause == .filesInUse && $0.evidence[0].pid == worker.pid }
            #expect(used.first?.evidence.first?.text == "as cwd, descriptor 9")
            // None of the pod's own processes is told of.
            let own = Set(pod.containers.map(\.pid))
            #expect(explanation.findings.allSatisfy { $0.evidence.allSatisfy { !own.contains($0.pid ?? 0) } })
        }
    }
}
