import Foundation
import SamplePod
import SandboxRegistry
import TestNode
import TestPods
import Testing

/// `explain` and `history` as an unprivileged user runs them.
@Suite(.serialized) struct CommandTests {
    private func register(_ pod: SamplePod, _ node: PodNode) throws {
        let document = try node.write(pod.registration, as: "pod.json")
        #expect(try node.podreap(["register", document]).status == 0)
    }

    private func causes(_ result: PodreapResult) throws -> [String] {
        let explanation = try #require(try result.lines().first)
        let findings = try #require(explanation["findings"] as? [[String: any Sendable]])
        return findings.compactMap { $0["cause"] as? String }
    }

    @Test func explainsAStuckPodAndThenThatItIsGone() throws {
        try withPodNode { node in
            let pod = try node.pod()
            try register(pod, node)
            let id = String(pod.id.prefix(13))
            try shell("chattr +i \(pod.directory)")
            #expect(try node.podreap(["remove", id]).status == 1)

            for name in [id, "default/\(pod.name)"] {
                let json = try node.podreap(["explain", "--json", name])
                #expect(json.status == 1)
                #expect(try causes(json).contains("immutableEntry"))
                // It says what it could not see.
                #expect(try causes(json).last == "unseen")
            }
            let text = try node.podreap(["explain", id])
            #expect(text.status == 1)
            #expect(text.output.contains("BLOCKS"))
            #expect(text.output.contains("-> lsattr -R \(pod.directory)"))
            #expect(text.output.contains("-> sudo podreap explain \(id)"))
            #expect(!text.output.contains("\u{1b}"))

            try shell("chattr -i \(pod.directory)")
            #expect(try node.podreap(["remove", id]).status == 0)
            let gone = try node.podreap(["explain", id])
            #expect(gone.status == 0)
            #expect(gone.output.contains("was removed"))
            #expect(try node.podreap(["explain", "unheard-of"]).status == 2)
            #expect(try node.podreap(["explain", "default/unheard-of"]).status == 2)
        }
    }

    @Test func seesMountsOfOtherNamespacesWithoutPrivilege() throws {
        try withPodNode { node in
            let pod = try node.pod()
            try register(pod, node)
            let holder = try Programs.script(
                "exec unshare --mount --propagation private sh -c 'echo ready; exec sleep 1000'")
            let result = try node.podreap(["explain", "--json", pod.id])
            #expect(result.status == 0)
            #expect(try causes(result).contains("mountCopy"))
            #expect(result.output.contains("\"pid\":\(holder.pid)"))
            // The volume in the pod is a bind mount of a filesystem that others have too, which makes it nobody's copy.
            let mounts = [pod.directory, pod.node.containerRoot].flatMap { pod.mountPoints(beneath: $0) }
            try shell("nsenter -t \(holder.pid) -m umount -l \(mounts.joined(separator: " "))")
            #expect(try !causes(node.podreap(["explain", "--json", pod.id])).contains("mountCopy"))
        }
    }

    @Test func tellsTheHistory() throws {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(), Workload()])
            try register(pod, node)
            #expect(try node.podreap(["history"]).output.split(separator: "\n").count == 1)
            #expect(try node.podreap(["stop", "--grace", "0", pod.id]).status == 0)
            #expect(try node.podreap(["remove", pod.id]).status == 0)

            let list = try node.podreap(["history"]).output.split(separator: "\n")
            #expect(list.count == 3)
            #expect(list[1].contains("default/web") && list[1].contains("remove ") && list[1].contains("removed"))
            #expect(list[2].contains("stop ") && list[2].contains("stopped"))
            #expect(try node.podreap(["history", "--limit", "1"]).output.split(separator: "\n").count == 2)

            for name in [String(pod.id.prefix(8)), "default/web", "web"] {
                let one = try node.podreap(["history", name])
                #expect(one.status == 0)
                let lines = one.output.split(separator: "\n")
                #expect(lines.contains { $0.hasPrefix("remove \(pod.id.prefix(13)) (pod default/web): removed in ") })
                // A bar for each step, of containers by their names.
                for name in ["POD", "app-0", "app-1", "sandbox"] {
                    #expect(lines.contains { $0.hasPrefix(name) && $0.contains("#") && $0.contains(" ms") }, "\(name)")
                }
                #expect(!one.output.contains("\u{1b}") && one.output.utf8.allSatisfy { $0 < 128 || $0 > 0 })
            }
            let json = try node.podreap(["history", "--json"]).lines()
            #expect(json.map { $0["purpose"] as? String } == ["remove", "stop"])
            #expect(try node.podreap(["history", "--steps"]).output.contains("stop \(pod.id.prefix(13))"))
            #expect(try node.podreap(["history", "unheard-of"]).status == 2)
            #expect(try node.podreap(["history", "--limit", "0"]).status == 2)
        }
    }
}
