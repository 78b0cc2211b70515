import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Cgroups as today's nodes have them: containers with a cgroup namespace, cgroups of their own making, and threads in them.
@Suite(.serialized) struct CgroupNamespaceTests {
    /// The default of engines on version 2: the container sees its cgroup as the root, and makes cgroups beneath it.
    @Test func aContainerWithACgroupNamespaceAndCgroupsOfItsOwn() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer(script: "(trap '' TERM; exec sleep 6666) & exec sleep 7777")
            container.namespaces.append("cgroup")
            let pid = try node.run("c1", container)
            let child = try node.process(of: "c1", with: "6666")
            let inside = node.cgroups(of: "c1").map { "\($0)/system.slice/inner.scope" }
            try shell(
                inside.map { "mkdir -p \($0); echo \(child) 2>/dev/null >\($0)/cgroup.procs || true" }.joined(
                    separator: "\n"))
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
            #expect(!NodeProcess(pid).isAlive && !NodeProcess(child).isAlive)
        }
    }

    /// Its cgroup.procs cannot be read, and its processes are listed above it.
    @Test func aThreadedCgroupBeneathTheContainers() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1", PlainContainer(script: "(trap '' TERM; exec sleep 6666) & exec sleep 7777"))
            let child = try node.process(of: "c1", with: "6666")
            let own = try #require(node.cgroups(of: "c1").first { Entry.exists("\($0)/cgroup.type") })
            try shell(
                "mkdir \(own)/threads; echo threaded >\(own)/threads/cgroup.type; echo \(child) >\(own)/threads/cgroup.threads"
            )
            #expect(throws: (any Error).self) {
                try String(contentsOfFile: "\(own)/threads/cgroup.procs", encoding: .utf8)
            }
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
            #expect(!NodeProcess(child).isAlive)
        }
    }

    /// podreap in a container that has the node's namespaces but for this one: paths of cgroups are relative to its own.
    @Test func podreapInACgroupNamespaceOfItsOwn() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let pid = try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let whole = try node.leftovers(of: "p1", ["c1"])
            let own = node.sample.cgroupRoots.map { "\($0)-podreap" }
            node.addEnding("rmdir \(own.joined(separator: " ")) 2>/dev/null || true")
            let shown = try shell(
                """
                for group in \(own.joined(separator: " ")); do mkdir -p $group; echo $$ 2>/dev/null >$group/cgroup.procs || true; done
                exec unshare --cgroup setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups \
                env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(TestNode.helper) sh -c '/mnt/podreap remove p1 2>&1; echo "status $?"'
                """)
            if shown.hasSuffix("status 0\n") { return try node.expectGone("p1", ["c1"]) }
            let left = try node.leftovers(of: "p1", ["c1"])
            #expect(!NodeProcess(pid).isAlive || left == whole, "\(shown)")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }
}
