import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What others have beside a pod, and hold of it.
@Suite(.serialized) struct OutsiderTests {
    /// containerd#3781: while the pod's own init waits for a frozen process, a dead process elsewhere is nobody's business.
    @Test func explainNamesNoDeadProcessOfOthers() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1", PlainContainer(script: "(exec sleep 6666) & exec sleep 7777"))
            try node.expectRegistration(of: "p1", ["c1"])
            #expect(soon { (try? node.process(of: "c1", with: "6666")) != nil })
            let child = try node.process(of: "c1", with: "6666")
            let thaw = try node.freeze(child, of: "c1", in: "in")
            // Of a namespace of its own, and of another pod's container.
            let other = try node.run("c2")
            let strangers = [
                try Programs.start(try Programs.zombie.get(), says: true),
                try Programs.start(try Programs.zombie.get(), "\(other)", says: true),
            ]
            let removed = try node.podreap(["remove", "p1"])
            if removed.status != 0 {
                let explained = try node.podreap(["explain", "p1"]).output
                for stranger in strangers { #expect(!explained.names(stranger.pid), "\(explained)") }
                #expect(explained.lowercased().contains("frozen"), "\(explained)")
                try shell(thaw)
                #expect(try node.podreap(["remove", "p1"]).status == 0)
            }
            try node.expectGone("p1", ["c1"])
        }
    }

    /// Where a root is more than one level deep, as in the default helper.conf, files on the way are no leftovers.
    @Test func garbageSaysNothingOnACleanNodeAndListsAnOrphan() throws {
        try withReproNode { node in
            let roots = node.sample.cgroupRoots
            let root = roots.first { $0.contains("/pids/") } ?? roots[0]
            let policy = node.deepPolicy.split(separator: "\n").filter { !$0.hasPrefix("cgroup-root") }
            try node.setPolicy((policy + ["cgroup-root = \(root) depth 2-3", ""]).joined(separator: "\n"))
            node.addEnding("rmdir \(root)/kubepods-burstable.slice || true")
            try shell("mkdir \(root)/kubepods-burstable.slice")
            let clean = try node.podreap(["gc"])
            #expect(clean.status == 0 && clean.errors == "", "\(clean)")
            try shell("mkdir \(node.directory(ofSandbox: "orphan"))")
            #expect(try node.podreap(["gc", "--older-than", "0s"]).output.contains("orphan"))
        }
    }

    /// Without a look of its own: a process of the pod tells which namespace it is, and everybody may see who shares it.
    @Test func whoHoldsAPodsNetworkNamespaceIsNamedWithoutBeingAskedFor() throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.podreap(["register", try node.write(pod.registration, as: "pod.json")]).status == 0)
            let other = try node.pod("other")
            let pin = pod.netns
            let holder = try Programs.start("/usr/bin/nsenter", "--net=\(pin)", "sleep", "3333")
            let namespace = try shell("stat -Lc %i \(pin)")
            #expect(try soon { try shell("stat -Lc %i /proc/\(holder.pid)/ns/net") == namespace })
            let removed = try node.podreap(["remove", pod.id])
            #expect(removed.status == 0 && (removed.output + removed.errors).names(holder.pid), "\(removed)")
            for container in other.containers { #expect(!removed.output.names(container.pid), "\(removed)") }
            let report = try #require(try node.podreap(["history", "--json", pod.id]).lines().first)
            let steps = report["steps"] as? [[String: Any]] ?? []
            let deletion = steps.first { $0["verb"] as? String == "delete-namespace" }
            #expect((deletion?["detail"] as? String)?.names(holder.pid) == true, "\(steps)")
        }
    }

    /// cni plugins#718, podman#163: an agent with nsenter holds the namespace, with its links and addresses.
    @Test func whoHoldsTheNetworkNamespaceIsNamed() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.pinNamespace(ofSandbox: "p1")
            try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let pin = node.pin(ofSandbox: "p1")
            let holder = try Programs.start("/usr/bin/nsenter", "--net=\(pin)", "sleep", "3333")
            let namespace = try shell("stat -Lc %i \(pin)")
            #expect(try soon { try shell("stat -Lc %i /proc/\(holder.pid)/ns/net") == namespace })
            #expect(try node.podreap(["explain", "p1"]).output.names(holder.pid))
            let removed = try node.podreap(["remove", "p1", "--holders"])
            #expect(removed.status == 0 && (removed.output + removed.errors).names(holder.pid), "\(removed)")
            #expect(!FileManager.default.fileExists(atPath: node.directory(of: "c1")), "the rest goes")
            let report = try #require(try node.podreap(["history", "--json", "p1"]).lines().first)
            let steps = report["steps"] as? [[String: Any]] ?? []
            let deletion = steps.first { $0["verb"] as? String == "delete-namespace" }
            #expect((deletion?["detail"] as? String)?.names(holder.pid) == true, "\(steps)")
        }
    }
}
