import Foundation
import TestNode
import TestPods
import Testing

/// `podreap rescue` on pods of a containerd that lives: unstuck, gone from its list, and no other pod touched.
@Suite(.serialized) struct RescueTests {
    /// Rescues a pod, and expects that it is gone and another one is as it was.
    private func rescue(
        _ pod: LivingRuntime.Pod, beside other: LivingRuntime.Pod, _ runtime: LivingRuntime, did verbs: [String]
    ) throws {
        let before = try runtime.pid(of: other.workload)
        let result = try runtime.podreap("rescue --helper \(TestNode.helper) web", seconds: 150)
        #expect(result.status == 0, "\(result)")
        for verb in verbs { #expect(result.output.contains(" \(verb) "), "\(result.output)") }
        #expect(result.output.contains("its runtime lists it no more"))
        #expect(try !runtime.lists(pod))
        #expect(!result.output.contains("left: "), "\(result.output)")
        #expect(try runtime.lists(other))
        #expect(try runtime.pid(of: other.workload) == before)
        #expect(try runtime.run("kill -0 \(before)").status == 0)
        // containerd goes on making and removing pods.
        let next = try runtime.pod("next")
        #expect(try runtime.stop(next) == nil && runtime.remove(next) == nil)
    }

    @Test func aPodThatRunsIsNotForIt() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            let refused = try runtime.podreap("rescue --helper \(TestNode.helper) web")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("podreap rescue --running"))
            let unknown = try runtime.podreap("rescue --helper \(TestNode.helper) nothing")
            #expect(unknown.status == 2 && unknown.errors.contains("default/web"), "\(unknown)")
            let dry = try runtime.podreap("rescue --helper \(TestNode.helper) --running --dry-run web")
            #expect(dry.status == 0 && dry.output.contains("SIGKILL"), "\(dry)")
            #expect(try runtime.run("kill -0 \(try runtime.pid(of: pod.workload))").status == 0)
            let result = try runtime.podreap("rescue --helper \(TestNode.helper) --running web")
            #expect(result.status == 0, "\(result)")
            #expect(try !runtime.lists(pod) && runtime.lists(other))
        }
    }

    @Test func aFrozenCgroupOfThePods() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            let freezer = Cgroups.freezer
            let own = "\(freezer.hierarchy)\(runtime.cgroup)/\(pod.workload)"
            // The runtime thaws the container's own cgroup, and none beneath it.
            try runtime.sh("mkdir \(own)/in; echo \(try runtime.pid(of: pod.workload)) >\(own)/in/cgroup.procs")
            try freezer.freeze("\(own)/in")
            #expect(try runtime.stop(pod) != nil)
            try rescue(pod, beside: other, runtime, did: ["thaw"])
        }
    }

    /// Thawing what others live in concerns them too.
    @Test func aFreezeOfAllPodsIsLeftAlone() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            let freezer = Cgroups.freezer
            try freezer.freeze("\(freezer.hierarchy)\(runtime.cgroup)")
            #expect(try runtime.stop(pod) != nil)
            let result = try runtime.podreap("rescue --helper \(TestNode.helper) --patience 60 web", seconds: 200)
            #expect(result.status == 1)
            #expect(!result.output.contains(" thaw "), "\(result.output)")
            #expect(result.output.contains("echo \(freezer.thawed) > "), "\(result.output)")
            #expect(try runtime.lists(pod) && runtime.lists(other))
        }
    }

    @Test func aStoppedShim() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            try runtime.sh("kill -STOP \(try runtime.shim(of: pod))")
            #expect(try runtime.stop(pod) != nil)
            try rescue(pod, beside: other, runtime, did: ["SIGCONT"])
        }
    }

    @Test func aRootFilesystemInUse() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            let host = try runtime.start("cd \(LivingRuntime.bundles)/\(pod.workload)/rootfs; exec sleep 12345")
            defer { host.kill() }
            usleep(500_000)
            #expect(try runtime.stop(pod) != nil)
            try rescue(pod, beside: other, runtime, did: ["detach"])
            #expect(try runtime.run("pgrep -f 'sleep 12345'").status == 0)
        }
    }

    @Test func aLostState() throws {
        try withLivingRuntime { runtime in
            let (pod, other) = (try runtime.pod("web"), try runtime.pod("other"))
            try runtime.sh("rm -r \(LivingRuntime.states)/\(pod.workload)")
            #expect(try runtime.stop(pod) != nil)
            try rescue(pod, beside: other, runtime, did: ["SIGKILL"])
        }
    }

    @Test func aNetworkPluginThatFailsIsNamed() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            try runtime.breakNetwork("echo '{\"cniVersion\":\"0.4.0\",\"code\":100,\"msg\":\"no lease\"}'; exit 1")
            #expect(try runtime.stop(pod) != nil)
            let result = try runtime.podreap("rescue --helper \(TestNode.helper) web", seconds: 150)
            #expect(result.status == 1)
            #expect(result.output.contains("no lease") && result.output.contains("/etc/cni/net.d"), "\(result.output)")
            #expect(try runtime.lists(pod))
            try runtime.mendNetwork()
            #expect(try runtime.podreap("rescue --helper \(TestNode.helper) web", seconds: 150).status == 0)
            #expect(try !runtime.lists(pod))
        }
    }

    @Test func aRuntimeThatIsStoppedOrDead() throws {
        try withLivingRuntime { runtime in
            _ = try runtime.pod("web")
            let containerd = try runtime.containerd
            try runtime.sh("kill -STOP \(containerd)")
            let stopped = try runtime.podreap("rescue --helper \(TestNode.helper) --running web")
            #expect(stopped.status == 2 && stopped.errors.contains("kill -CONT \(containerd)"), "\(stopped)")
            try runtime.sh("kill -KILL \(containerd)")
            usleep(500_000)
            let dead = try runtime.podreap("rescue --helper \(TestNode.helper) --running web")
            #expect(dead.status == 2 && dead.errors.contains("systemctl start containerd"), "\(dead)")
        }
    }
}
