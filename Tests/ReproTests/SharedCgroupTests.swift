import SamplePod
import TestNode
import TestPods
import Testing

/// Containers of two pods in one cgroup, or the one's beneath the other's.
@Suite(.serialized) struct SharedCgroupTests {
    /// containerd#1932, runtime-spec#944, runc#2037.
    @Test(arguments: ["c1", "c1/inner"]) func onePodsRemovalEndsNoProcessOfAnother(_ cgroup: String) throws {
        try withReproNode { node in
            for pod in ["p1", "p2"] { try node.sandbox(pod) }
            let first = try node.run("c1")
            var other = PlainContainer()
            other.cgroup = cgroup
            let second = try node.run("c2", other)
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRegistration(of: "p2", ["c2"])
            _ = try node.podreap(["remove", "p1"])
            #expect(!NodeProcess(first).isAlive)
            #expect(NodeProcess(second).isAlive)
            #expect(try node.podreap(["inspect", "p1"]).status == 2, "it is still registered")
            try node.expectRemoval(of: "p2", ["c2"])
            try node.expectGone("p1", ["c1"])
        }
    }
}
