import Foundation
import SandboxRemoval
import TestNode
import TestPods
import Testing

/// What `podreap explain` says of pods of a containerd that lives, each stuck for real, and whether its remedy helps.
@Suite(.serialized) struct ExplainTests {
    /// Expects that containerd stops and removes the pod now.
    private func expectRemovable(_ pod: LivingRuntime.Pod, _ runtime: LivingRuntime) throws {
        #expect(try runtime.stop(pod, seconds: 20) == nil)
        #expect(try runtime.remove(pod) == nil)
        #expect(try !runtime.lists(pod))
    }

    @Test func aRunningPodIsNotStuck() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            _ = try runtime.pod("web-2")
            for name in ["web", "default/web", pod.id, String(pod.id.prefix(13)), "--from containerd web"] {
                let (status, explanation) = try runtime.explain(name)
                #expect(status == 0, "\(explanation)")
                #expect(explanation.sandbox == pod.id)
                #expect(explanation.findings.map(\.cause) == [.running], "\(explanation.findings)")
            }
            let text = try runtime.podreap("explain web").output
            #expect(text.contains("it is not stuck: containerd runs as process \(try runtime.containerd)"), "\(text)")
            #expect(!text.contains("podreap remove"))

            let unknown = try runtime.podreap("explain nothing")
            #expect(unknown.status == 2)
            for word in [
                "there is no pod nothing", "containerd in /run/containerd", "there is no registry /mnt/none",
                "default/web (containerd's \(pod.id))", "default/web-2",
            ] {
                #expect(unknown.errors.contains(word), "\(unknown.errors)")
            }
            // Without root and a registry: what to type.
            let user = try runtime.run(
                "exec setpriv --reuid 61234 --regid 61234 --clear-groups '\(try TestPrograms.built("podreap"))' explain web"
            )
            #expect(user.status == 2)
            #expect(user.errors.contains("sudo podreap explain web"), "\(user.errors)")
        }
    }

    @Test func aFreezeAboveTheContainer() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let freezer = Cgroups.freezer
            let above = "\(freezer.hierarchy)\(runtime.cgroup)"
            try freezer.freeze(above)
            #expect(try runtime.stop(pod) != nil)
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let finding = try explanation.first(.frozenCgroup)
            #expect(finding.weight == .blocks)
            #expect(finding.evidence.first?.path == above)
            #expect(try explanation.first(.runtimeError).evidence[0].text.contains("StopPodSandbox"))
            try runtime.follow(finding.remedies[0])
            try expectRemovable(pod, runtime)
        }
    }

    @Test func aProcessThatWaitsForADeafFilesystem() throws {
        let program = try Programs.deafFUSE.get()
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let place = "\(runtime.directory)/deaf"
            try runtime.sh("mkdir \(place)")
            let server = try runtime.start("exec \(program) \(place)")
            defer { server.kill() }
            #expect(soon(seconds: 20) { (try? runtime.sh("grep -q fuse.deaf /proc/self/mounts")) != nil })
            let path = Cgroups.freezer.hierarchy + runtime.cgroup + "/" + pod.workload
            // A process of the container's, as kubectl exec makes it.
            let stuck = try runtime.start(
                "echo $$ >\(path)/cgroup.procs; exec nsenter -t \(try runtime.pid(of: pod.workload)) -p stat \(place)/file"
            )
            #expect(
                soon(seconds: 20) { (try? runtime.sh("ps -o comm= $(cat \(path)/cgroup.procs) | grep -w stat")) != nil }
            )
            #expect(try runtime.stop(pod) != nil)

            // Whoever reads what explain writes gets to its end, although the probe hangs.
            let piped = try runtime.run(
                "timeout 20 '\(try TestPrograms.built("podreap"))' explain web | cat", seconds: 30)
            #expect(piped.output.contains("BLOCKS"))
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            #expect(try explanation.first(.waitingProcess).evidence[0].text.contains("state D"))
            let filesystem = try explanation.first(.silentFilesystem)
            #expect(filesystem.text.contains("fuse.deaf"))
            // All explanations share one process that asks, and it says whose it is.
            let probes = try runtime.sh("ps -eo comm,stat | grep -E '^podreap[0-9a-f]{8} +D'").split(separator: "\n")
            #expect(probes.count == 1, "\(probes)")
            #expect(filesystem.evidence.contains { $0.text.contains("podreap's own process") })

            let abort = filesystem.remedies[0].split(separator: " ").last.map(String.init) ?? ""
            try runtime.sh("[ -e \(abort) ] || mount -t fusectl none /sys/fs/fuse/connections; echo 1 >\(abort)")
            #expect(try stuck.wait(seconds: 10) != nil)
            try expectRemovable(pod, runtime)
        }
    }

    @Test func aShimThatWasStopped() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let shim = try runtime.shim(of: pod)
            try runtime.sh("kill -STOP \(shim)")
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let finding = try explanation.first(.monitorStopped)
            #expect(finding.evidence[0].pid == shim)
            #expect(finding.remedies[0] == "kill -CONT \(shim)")
            #expect(explanation.endsNobody([shim, try runtime.containerd]))
            #expect(try runtime.stop(pod) != nil)
            try runtime.follow(finding.remedies[0])
            try expectRemovable(pod, runtime)
        }
    }

    @Test func aShimThatWasKilledAndAContainerdThatWasStopped() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let (containerd, shim) = (try runtime.containerd, try runtime.shim(of: pod))
            // Otherwise it kills the containers of a shim that is gone.
            try runtime.sh("kill -STOP \(containerd); kill -KILL \(shim)")
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            #expect(try explanation.first(.runtimeStopped).remedies == ["kill -CONT \(containerd)"])
            let gone = try explanation.first(.monitorGone)
            let processes = try [pod.id, pod.workload].map { try runtime.pid(of: $0) }
            #expect(Set(gone.evidence.compactMap(\.pid)).isSuperset(of: processes))
            try runtime.follow(gone.remedies[0])
            #expect(soon(seconds: 20) { processes.allSatisfy { (try? runtime.sh("kill -0 \($0)")) == nil } })
            try runtime.sh("kill -CONT \(containerd)")
            #expect(soon(seconds: 20) { (try? runtime.stop(pod)) == .some(nil) })
            try expectRemovable(pod, runtime)
        }
    }

    @Test func aRootFilesystemInUse() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let root = "\(LivingRuntime.bundles)/\(pod.workload)/rootfs"
            let host = try runtime.start("cd \(root); exec sleep 12345")
            defer { host.kill() }
            #expect(soon(seconds: 20) { (try? runtime.sh("pgrep -f 'sleep 12345'")) != nil })
            let pid = try runtime.pid("pgrep -f 'sleep 12345'")
            // While the container lives, it is no cause yet.
            let early = try runtime.explain("web")
            #expect(early.status == 0)
            #expect(try early.explanation.first(.busyRootfs).weight == .keeps)

            #expect(try runtime.stop(pod) != nil)
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let finding = try explanation.first(.busyRootfs)
            #expect(finding.weight == .blocks)
            #expect(finding.evidence.contains { $0.pid == pid })
            #expect(explanation.endsNobody([try runtime.containerd, try runtime.shim(of: pod)]))
            #expect(finding.remedies[0] == "umount -l \(root)")
            try runtime.follow(finding.remedies[0])
            #expect(soon(seconds: 20) { (try? runtime.stop(pod)) == .some(nil) })
            try expectRemovable(pod, runtime)
            #expect(try runtime.run("kill -0 \(pid)").status == 0)
        }
    }

    @Test(arguments: ["rm -r", ": >"]) func aStateThatIsGoneOrEmpty(_ verb: String) throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let state = "\(LivingRuntime.states)/\(pod.workload)"
            try runtime.sh(verb == "rm -r" ? "rm -r \(state)" : ": >\(state)/state.json")
            #expect(try runtime.stop(pod) != nil)
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let finding = try explanation.first(.lostState)
            #expect(finding.subject == "app")
            #expect(finding.evidence.contains { $0.pid == (try? runtime.pid(of: pod.workload)) })
            for remedy in finding.remedies { try runtime.follow(remedy) }
            #expect(soon(seconds: 20) { (try? runtime.stop(pod)) == .some(nil) })
            try expectRemovable(pod, runtime)
        }
    }

    /// After the first attempt nothing but containerd's own record tells of the pod.
    @Test func aNetworkPluginThatFailsOrHangs() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            try runtime.breakNetwork("echo '{\"cniVersion\":\"0.4.0\",\"code\":100,\"msg\":\"no lease\"}'; exit 1")
            #expect(try runtime.stop(pod)?.contains("no lease") == true)
            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let fails = try explanation.first(.network)
            #expect(fails.evidence[0].text.contains("no lease"))
            #expect(try explanation.first(.underWay).evidence[0].text.contains("not ready, with app exited"))

            try runtime.breakNetwork("exec sleep 23456")
            let stop = try runtime.startStop(pod, seconds: 30)
            #expect(soon(seconds: 20) { (try? runtime.sh("pgrep -f 'sleep 23456'")) != nil })
            let plugin = try runtime.pid("pgrep -f 'sleep 23456'")
            let hangs = try runtime.explain("web").explanation.first(.network)
            #expect(hangs.evidence[0].pid == plugin)
            #expect(hangs.remedies.last == "kill -KILL \(plugin)")
            try runtime.follow("kill -KILL \(plugin)")
            #expect(try stop.wait(seconds: 10) != nil)
            try runtime.mendNetwork()
            try expectRemovable(pod, runtime)
        }
    }

    @Test func aContainerdThatIsDead() throws {
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            try runtime.sh("kill -KILL \(try runtime.containerd)")
            #expect(soon(seconds: 20) { (try? runtime.sh("pgrep -x containerd")) == nil })
            let (status, explanation) = try runtime.explain(pod.id)
            #expect(status == 1)
            let finding = try explanation.first(.runtimeGone)
            #expect(finding.remedies[0].hasPrefix("systemctl start containerd"))
            #expect(!explanation.findings.contains { $0.cause == .running })
        }
    }

    @Test func aTracedProcessAndADeadOneThatNobodyReaps() throws {
        let careless = try Programs.carelessParent.get()
        try withLivingRuntime { runtime in
            let pod = try runtime.pod("web")
            let process = try runtime.pid(of: pod.workload)
            let tracer = try runtime.start("exec strace -o /dev/null -p \(process)")
            #expect(soon(seconds: 20) { (try? runtime.sh("grep 'TracerPid:.[1-9]' /proc/\(process)/status")) != nil })
            let strace = try runtime.pid("pgrep -x strace")
            try runtime.sh("kill -STOP \(strace)")
            let parent = try runtime.start("exec \(careless) \(process)")
            #expect(soon(seconds: 20) { (try? runtime.sh("pgrep -x careless-parent")) != nil })
            let parentPID = try runtime.pid("pgrep -xo careless-parent")
            // It belongs to another pod.
            let other = try runtime.pod("other")
            let foreign = try runtime.start("exec \(careless) \(try runtime.pid(of: other.workload))")
            #expect(soon(seconds: 20) { (try? runtime.sh("[ $(pgrep -xc careless-parent) = 4 ]")) != nil })

            let (status, explanation) = try runtime.explain("web")
            #expect(status == 1)
            let traced = try explanation.first(.tracedProcess)
            #expect(traced.evidence.contains { $0.pid == process })
            #expect(traced.remedies.contains("kill -CONT \(strace)"))
            let dead = explanation.findings.filter { $0.cause == .unreapedProcess }
            #expect(dead.count == 1, "\(dead)")
            #expect(dead.first?.remedies.first?.contains("process \(parentPID)") == true)
            try runtime.follow("kill -KILL \(strace)")
            #expect(soon(seconds: 20) { (try? runtime.sh("grep 'TracerPid:.0' /proc/\(process)/status")) != nil })
            tracer.kill()
            try runtime.follow("kill -KILL \(parentPID)")
            #expect(try parent.wait(seconds: 10) != nil)
            try expectRemovable(pod, runtime)
            foreign.kill()
        }
    }
}

extension Explanation {
    fileprivate func first(_ cause: Finding.Cause) throws -> Finding {
        try #require(findings.first { $0.cause == cause }, "\(cause) among \(findings)")
    }

    /// Whether none of its remedies ends one of these processes.
    fileprivate func endsNobody(_ pids: [Int32]) -> Bool {
        findings.flatMap(\.remedies).allSatisfy { remedy in
            remedy.hasPrefix("kill -CONT")
                || !remedy.split(whereSeparator: { " ,;:()".contains($0) }).contains { pids.contains(Int32($0) ?? 0) }
        }
    }
}

/// The C programs beside the tests of registered pods, each compiled once.
private enum Programs {
    static let deafFUSE = compile("deaf-fuse")
    static let carelessParent = compile("careless-parent")

    private static func compile(_ name: String) -> Result<String, any Error> {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../ExplainTests/Programs/\(name).c"
        ).standardized.path()
        return Result { try TestPrograms.compile(source) }
    }
}
