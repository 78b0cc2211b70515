import Foundation
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

    /// One that ends with its init's last word, and leaves a process in the node's PID namespace.
    private var leaving: PlainContainer {
        var container = PlainContainer(script: "(exec sleep 50000) & exec sleep 50001")
        container.namespaces = ["mount", "ipc", "uts"]
        return container
    }

    /// Neither is the one's cgroup killed, nor is the runtime called, which would kill all that is in it.
    @Test(arguments: ["c1", "c1/inner"]) func whoIsNotRegisteredLivesOnInASharedCgroup(_ cgroup: String) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1", leaving)
            var other = PlainContainer()
            other.cgroup = cgroup
            try node.expectRegistration(of: "p1", ["c1"])
            let second = try node.run("c2", other)
            _ = try node.podreap(["remove", "p1"])
            #expect(NodeProcess(second).isAlive)
            #expect(try node.podreap(["inspect", "p1"]).status == 0, "what c1 has left lives still")
            try shell("runc --root \(node.sample.runtimeRoot) delete --force c2")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// What the state names is recorded before the first signal: with the state gone, nobody could know it.
    @Test func whoWasRegisteredBeforeItsStartIsSeenToShare() throws {
        try withReproNode { node in
            for pod in ["p1", "p2"] { try node.sandbox(pod) }
            try node.run("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            var other = PlainContainer(script: "trap '' TERM; (exec sleep 50000) & exec sleep 50001")
            other.namespaces = leaving.namespaces
            other.cgroup = "c1"
            try node.bundle("c2", other)
            try node.expectRegistration(of: "p2", ["c2"])
            let second = try node.start(bundle: "c2")
            let child = try node.process(of: "c1", with: "50000")
            // A stop that is killed while it waits for the init.
            let stop = try node.start(["stop", "p2", "--grace", "60"])
            #expect(try soon { try node.podreap(["inspect", "p2"]).output.contains("/c1\"") })
            stop.program.kill(SIGKILL)
            _ = try stop.end()
            try shell("kill -9 \(second)")
            #expect(soon { !NodeProcess(second).isAlive })
            try #require(NodeProcess(child).isAlive)
            _ = try node.podreap(["remove", "p1"])
            #expect(NodeProcess(child).isAlive, "it is p2's")
            try node.expectRemoval(of: "p2", ["c2"])
        }
    }

    /// Neither pod's init lives, and each has left a process in the cgroup: each removal ends its own.
    @Test(arguments: ["c1", "c1/inner"]) func whatTwoPodsHaveLeftInOneCgroupIsTold(_ cgroup: String) throws {
        try withReproNode { node in
            for pod in ["p1", "p2"] { try node.sandbox(pod) }
            let first = try node.run("c1", leaving)
            let childOfFirst = try node.process(of: "c1", with: "50000")
            var other = PlainContainer(script: "(exec sleep 50002) & exec sleep 50001")
            other.namespaces = leaving.namespaces
            other.cgroup = cgroup
            let second = try node.run("c2", other)
            let childOfSecond = try node.process(of: cgroup, with: "50002")
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRegistration(of: "p2", ["c2"])
            try shell("kill -9 \(first) \(second)")
            #expect(soon { !NodeProcess(first).isAlive && !NodeProcess(second).isAlive })
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(!NodeProcess(childOfFirst).isAlive && NodeProcess(childOfSecond).isAlive)
            try node.expectRemoval(of: "p2", ["c2"])
            #expect(!NodeProcess(childOfSecond).isAlive)
            try node.expectGone("p1", ["c1"])
        }
    }

    /// With its state lost, its runtime cannot end it, and its cgroup cannot be killed: another lives in it, of which no registry
    /// knows.
    @Test(arguments: ["c1", "c1/inner"]) func itsOwnEndsBesideWhoIsNotRegistered(_ cgroup: String) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let first = try node.run(
                "c1", PlainContainer(script: "(trap '' TERM; exec sleep 50000) & exec sleep 50001"))
            let child = try node.process(of: "c1", with: "50000")
            var other = PlainContainer()
            other.cgroup = cgroup
            let second = try node.run("c2", other)
            try node.expectRegistration(of: "p1", ["c1"])
            try shell("rm \(node.state(of: "c1"))/state.json")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 1 && removed.errors.contains("is not registered"), "\(removed)")
            #expect(!NodeProcess(first).isAlive && !NodeProcess(child).isAlive && NodeProcess(second).isAlive)
            try shell("runc --root \(node.sample.runtimeRoot) delete --force c2")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// The cgroup stays as long as another's lies beneath it; who lives in it by then is no concern of that one's.
    @Test func whoHasTheIDAndTheCgroupByNowLivesOn() throws {
        try withReproNode { node in
            for pod in ["p1", "p2"] { try node.sandbox(pod) }
            try node.run("c1")
            var inner = PlainContainer()
            inner.cgroup = "c1/inner"
            try node.run("c2", inner)
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRegistration(of: "p2", ["c2"])
            try shell(
                """
                runc --root \(node.sample.runtimeRoot) delete --force c1
                umount -l \(node.directory(of: "c1"))/rootfs; rm -r \(node.directory(of: "c1"))
                """)
            let another = try node.run("c1")
            for pod in ["p1", "p2"] {
                let result = try node.podreap(["remove", pod])
                #expect(result.status == 0, "\(result)")
                #expect(NodeProcess(another).isAlive, "\(pod) is not its")
            }
        }
    }

    /// They were registered before their start, so that neither's process is recorded: neither leaves the cgroup to the
    /// other for good.
    @Test(arguments: ["c1", "c1/inner"]) func oneCgroupOfTwoThatStartedLaterIsNotLeft(_ cgroup: String) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var second = PlainContainer(script: "(trap '' TERM; exec sleep 50000) & exec sleep 50001")
            second.cgroup = cgroup
            try node.bundle("c1")
            try node.bundle("c2", second)
            try node.expectRegistration(of: "p1", ["c1", "c2"])
            for id in ["c1", "c2"] { try node.start(bundle: id) }
            try node.expectRemoval(of: "p1", ["c1", "c2"])
        }
    }

    @Test func onePodsContainersInEachOthersCgroupsLeaveNone() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            var inner = PlainContainer(script: "trap '' TERM; exec sleep 60000")
            inner.cgroup = "c1/inner"
            try node.run("c2", inner)
            try node.expectRegistration(of: "p1", ["c1", "c2"])
            try node.expectRemoval(of: "p1", ["c1", "c2"])
        }
    }
}
