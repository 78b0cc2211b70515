import Foundation
import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// Explanations as a pure function: facts in, findings out.
struct ExplanationTests {
    @Test func nothingAskedNothingWrong() throws {
        let explanation = Explanation.of(Facts.pod())
        #expect(explanation.findings.map(\.cause) == [.notAsked, .elsewhere, .unseen])
        #expect(!explanation.isBlocked)
        let elsewhere = try explanation.first(.elsewhere)
        #expect(elsewhere.remedies[0].contains("kubectl get pod -n default web"))
        #expect(elsewhere.remedies[1].contains("uid-1"))
    }

    @Test func aRunningPodThatNobodyRemovesHasNoBlockingProcesses() {
        var facts = Facts.pod()
        facts.members = [Facts.member(10)]
        facts.mounts = [Facts.mount("/run/pods/p/shm")]
        #expect(Explanation.of(facts).findings.map(\.cause) == [.notAsked, .elsewhere, .unseen])
    }

    @Test func theSameProcessIsAFindingOnceItShouldBeGone() throws {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10), Facts.member(11)]
        let finding = try Explanation.of(facts).first(.livingProcess)
        #expect(finding.weight == .blocks)
        #expect(finding.subject == "app")
        #expect(finding.text == "2 processes live in the container")
        #expect(finding.evidence.map(\.pid) == [10, 11])
        #expect(finding.remedies == ["podreap remove p", "kill -KILL 10 11"])
    }

    @Test func aContainerThatTheRuntimeHasLost() throws {
        var facts = Facts.stuck("end", "runc does not know the container any more, but its process 10 lives")
        facts.members = [Facts.member(10)]
        let finding = try Explanation.of(facts).first(.livingProcess)
        #expect(finding.text == "runc has lost the container, but its process lives")
        #expect(finding.remedies.first == "kill -KILL 10")
    }

    @Test func aProcessThatWaitsForAServer() throws {
        var facts = Facts.stuck("end", "it lives")
        var member = Facts.member(10, state: "D")
        member.process.waitChannel = "rpc_wait_bit_killable"
        facts.members = [member]
        facts.mounts = [Facts.mount("/data", "nfs4", .silent(child: 99), own: false)]
        let explanation = Explanation.of(facts)
        let process = try explanation.first(.waitingProcess)
        #expect(process.evidence[0].text.contains("state D (waits in the kernel), waits in rpc_wait_bit_killable"))
        #expect(process.remedies[0].contains("filesystem that does not answer"))
        let filesystem = try explanation.first(.silentFilesystem)
        #expect(filesystem.evidence.contains { $0.pid == 99 })
        #expect(filesystem.remedies[0].contains("umount -f /data"))
        #expect(!explanation.has(.livingProcess))
    }

    @Test func aProcessThatWaitsForSomethingUnknown() throws {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10, state: "D")]
        let process = try Explanation.of(facts).first(.waitingProcess)
        #expect(process.remedies[0].contains("/proc/10/stack"))
        #expect(process.remedies[1].contains("reboot"))
    }

    @Test(arguments: [
        ("fuse.sshfs", "/sys/fs/fuse/connections/45/abort"), ("nfs4", "umount -f"), ("ceph", "umount -f"),
    ])
    func eachKindOfServerHasItsRemedy(_ type: String, _ remedy: String) throws {
        var facts = Facts.stuck("unmount", "timed out")
        facts.mounts = [Facts.mount("/run/pods/p/x", type, .silent(child: nil))]
        #expect(try Explanation.of(facts).first(.silentFilesystem).remedies[0].contains(remedy))
    }

    @Test func aFUSEServerThatHasDied() throws {
        var facts = Facts.stuck("remove-directory", "x")
        facts.mounts = [Facts.mount("/run/pods/p/x", "fuse.sshfs", .failed(errno: ENOTCONN))]
        let finding = try Explanation.of(facts).first(.failingFilesystem)
        #expect(finding.weight == .keeps)
        #expect(finding.text.contains("server has died"))
        #expect(finding.remedies == ["umount -l /run/pods/p/x"])
    }

    @Test(arguments: [("freezer.state", "THAWED"), ("cgroup.freeze", "0")])
    func aFrozenCgroupOfEitherVersion(_ file: String, _ value: String) throws {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10)]
        let cgroup = FrozenCgroup(directory: "/sys/fs/cgroup/f/c", file: "/sys/fs/cgroup/f/c/\(file)", thaws: value)
        facts.frozen = [PodFacts.Frozen(cgroup: cgroup, containers: ["c"], pids: [10])]
        let explanation = Explanation.of(facts)
        let finding = try explanation.first(.frozenCgroup)
        #expect(finding.remedies == ["echo \(value) > /sys/fs/cgroup/f/c/\(file)", "podreap remove p"])
        // It is told of once.
        #expect(!explanation.has(.livingProcess))
    }

    /// KILL to what is traced does not help, so that is not advised.
    @Test(arguments: ["T", "S"]) func aTracerIsNamed(_ state: String) throws {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10, state: "t")]
        facts.members[0].process.tracer = 50
        facts.tracers[50] = ProcessObservation(pid: 50, name: "strace", command: "strace -p 10", state: state)
        let explanation = Explanation.of(facts)
        let finding = try explanation.first(.tracedProcess)
        #expect(finding.weight == .blocks)
        #expect(finding.text.hasPrefix("process 50 (strace -p 10) traces a process of the container"))
        let end = ["kill -KILL 50", "podreap remove p"]
        #expect(finding.remedies == (state == "T" ? ["kill -CONT 50"] + end : end))
        #expect(!explanation.has(.livingProcess))
    }

    @Test func aDeadProcessKeepsAPIDNamespace() throws {
        var facts = Facts.stuck("end", "it lives")
        var initial = Facts.member(10)
        initial.process.namespacePIDs = [10, 1]
        initial.process.isExiting = true
        facts.members = [initial]
        let zombie = ProcessObservation(pid: 20, name: "sh", state: "Z", parent: 30, namespacePIDs: [20, 7])
        let parent = ProcessObservation(pid: 30, name: "shim", command: "shim --x")
        facts.zombies = [PodFacts.Zombie(process: zombie, parent: parent, isCertain: false)]
        let explanation = Explanation.of(facts)
        let finding = try explanation.first(.unreapedProcess)
        #expect(finding.text.contains("process 30 (shim --x), does not reap it (likely: only root"))
        #expect(!explanation.has(.livingProcess))
        // One that may be anybody's is not told of where no init waits.
        facts.members[0].process.isExiting = false
        #expect(!Explanation.of(facts).has(.unreapedProcess))
        facts.zombies[0].isCertain = true
        #expect(try Explanation.of(facts).first(.unreapedProcess).text.hasSuffix("does not reap it"))
    }

    @Test func copiesOfMountsKeepThingsAndBlockNothing() throws {
        var facts = Facts.pod()
        facts.copies = [
            PodFacts.Copy(
                pid: 5, name: "dockerd", mountNamespace: 77, paths: ["/run/pods/p/shm", "/run/pods/p/a b"],
                types: ["tmpfs", "overlay"])
        ]
        let finding = try Explanation.of(facts).first(.mountCopy)
        #expect(finding.weight == .keeps)
        #expect(finding.evidence.map(\.mountNamespace) == [77, 77])
        #expect(finding.remedies[0] == "nsenter -t 5 -m umount -l /run/pods/p/shm '/run/pods/p/a b'")
    }

    @Test func holdersOfANamespaceAreListedByItsPin() throws {
        var facts = Facts.pod()
        facts.namespaceHolders = [
            .process(pin: "/run/netns/a", pid: 5, name: "x"), .mount(pin: "/run/netns/a", path: "/run/other"),
            .mountElsewhere(pin: "/run/netns/b", path: "/p", pid: 6, name: "y", mountNamespace: nil),
        ]
        let findings = Explanation.of(facts).findings.filter { $0.cause == .namespaceHeld }
        #expect(findings.map(\.evidence.count) == [2, 1])
        #expect(findings[0].remedies == ["end process 5", "umount -l /run/other"])
        #expect(findings[1].remedies == ["nsenter -t 6 -m umount -l /p"])
    }

    /// A runtime, a kubelet or a pod's own shim may hold something, but ending it would harm every pod.
    @Test func nobodyIsAdvisedToEndARuntime() {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10)]
        facts.keepers = [5]
        facts.uses = [PodFacts.Use(pid: 5, name: "containerd", how: ["cwd"], path: "/run/pods/p")]
        facts.namespaceHolders = [.process(pin: "/run/netns/a", pid: 5, name: "containerd")]
        facts.copies = [PodFacts.Copy(pid: 5, name: "containerd", mountNamespace: 1, paths: ["/p"], types: ["tmpfs"])]
        let zombie = ProcessObservation(pid: 20, name: "sh", state: "Z", parent: 5, namespacePIDs: [20, 7])
        facts.zombies = [PodFacts.Zombie(process: zombie, parent: nil, isCertain: true)]
        let findings = Explanation.of(facts).findings
        for cause in [Finding.Cause.filesInUse, .namespaceHeld, .mountCopy, .unreapedProcess] {
            #expect(findings.contains { $0.cause == cause }, "it is named all the same")
        }
        for remedy in findings.flatMap(\.remedies) where !remedy.hasPrefix("nsenter") {
            #expect(!remedy.split(whereSeparator: { !$0.isNumber }).contains("5"), "\(remedy)")
        }
    }

    @Test func aFilesystemThatOnlyThePodSees() throws {
        var facts = Facts.stuck("end", "it lives")
        facts.mounts = [Facts.mount("/data", "nfs4", .silent(child: nil), own: false)]
        facts.mounts[0].seenBy = 77
        let finding = try Explanation.of(facts).first(.silentFilesystem)
        #expect(finding.text.contains("at /data, as process 77 of the pod sees it,"))
        #expect(finding.remedies[0].hasSuffix("nsenter -t 77 -m umount -f /data"))
    }

    @Test func aReplacedDirectory() throws {
        var facts = Facts.stuck("remove-directory", "replaced", StepCause(kind: .refused, rule: "identityMismatch"))
        facts.directories = ["/run/pods/p": .replaced, "/run/ctr/c": .gone]
        let finding = try Explanation.of(facts).first(.replaced)
        #expect(finding.evidence[0].path == "/run/pods/p")
        #expect(finding.remedies[0].contains("mv /run/pods/p /run/pods/p.not-podreaps"))
    }

    @Test func volumesAreTheKubelets() throws {
        var facts = Facts.stuck("mark", "x")
        facts.volumes = [Facts.mount("/var/lib/kubelet/pods/uid-1/volumes/v", "nfs4", .silent(child: nil), own: false)]
        let explanation = Explanation.of(facts)
        #expect(try explanation.first(.kubeletVolume).weight == .note)
        #expect(try explanation.first(.silentFilesystem).text.contains("/var/lib/kubelet"))
    }

    @Test func whoIsAtItAndABootInBetween() {
        var facts = Facts.pod()
        facts.worker = 4
        facts.isAfterReboot = true
        let causes = Explanation.of(facts).findings.map(\.cause)
        #expect(causes.prefix(2) == [.underWay, .afterReboot])
        #expect(!causes.contains(.notAsked))
    }

    @Test func whatBlocksComesFirst() {
        var facts = Facts.stuck("end", "it lives")
        facts.members = [Facts.member(10, state: "D")]
        facts.copies = [PodFacts.Copy(pid: 5, name: "x", mountNamespace: nil, paths: ["/p"], types: ["tmpfs"])]
        facts.uses = [PodFacts.Use(pid: 6, name: "vi", how: ["cwd"], path: "/run/pods/p")]
        let weights = Explanation.of(facts).findings.map(\.weight)
        let order: [Finding.Weight] = [.blocks, .keeps, .note]
        #expect(weights == weights.sorted { order.firstIndex(of: $0)! < order.firstIndex(of: $1)! })
    }

    @Test func aHostilesNamesDoNotSteerTheTerminal() throws {
        var facts = Facts.stuck("end", "it lives")
        var member = Facts.member(10)
        member.process.command = "a\u{1b}[2J\nb"
        facts.members = [member]
        let text = try Explanation.of(facts).first(.livingProcess).evidence[0].text
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test(arguments: [
        ("/plain/path-1.x", "/plain/path-1.x"), ("/a b", "'/a b'"), ("/it's", "'/it'\\''s'"), ("", "''"),
        ("/$(x)", "'/$(x)'"),
    ])
    func quotesPathsForAShell(_ path: String, _ expected: String) { #expect(quoted(path) == expected) }
}
