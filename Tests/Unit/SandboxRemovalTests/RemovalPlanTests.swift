import SandboxRegistry
import SandboxRemoval
import Testing

@Suite struct RemovalPlanTests {
    private func plan(
        _ containers: [Container], _ processes: [String: SandboxSnapshot.Processes] = [:], mounts: [String] = [],
        bootID: String = Records.boot, of sandbox: Sandbox = Records.sandbox()
    ) throws -> RemovalPlan {
        .remove(sandbox, containers, try Records.seen(processes, mounts: mounts, bootID: bootID))
    }

    @Test func aRunningPod() throws {
        let plan = try plan(
            [Records.infra, Records.container("a")],
            ["i": Records.running(10), "a": Records.running(20)], mounts: ["/run/pods/p/shm", "/run/ctr/a/rootfs"])
        #expect(
            plan.lines == [
                "p mark", "a end 20", "i end 10", "i delete runc", "a delete runc", "i remove-directory /run/ctr/i",
                "a unmount /run/ctr/a", "a remove-directory /run/ctr/a", "a release-name a_web_default_u_0",
                "p unmount /run/pods/p/shm", "p delete-namespace /run/netns/cni-p", "p remove-directory /run/pods/p",
                "p forget web_default_u_0",
            ])
    }

    @Test func thePodsOwnCgroupsGoAfterItsLastContainer() throws {
        var sandbox = Records.sandbox()
        sandbox.cgroups = ["/cg/cpu/crio-p", "/cg/pids/crio-p"].map {
            PodCgroup(path: $0, identity: FileIdentity(device: 1, inode: 2, birth: 0))
        }
        let containers = [Records.infra, Records.container("a")]
        let plan = try plan(containers, ["a": Records.running(20)], of: sandbox)
        let line = "p remove-cgroups /cg/cpu/crio-p"
        #expect(plan.steps.contains { $0.action == .removeCgroups(sandbox.cgroups) })
        #expect(plan.waits(line, for: "a delete runc") && plan.waits(line, for: "i delete runc"))
        #expect(plan.waits("p forget web_default_u_0", for: line))
        #expect(try self.plan([], of: sandbox).number(line) != nil, "a pod without containers")
        #expect(try self.plan(containers, bootID: "another", of: sandbox).number(line) == nil)
        let stop = RemovalPlan.stop(sandbox, containers, try Records.seen(), grace: .zero)
        #expect(stop.number(line) == nil)
    }

    @Test func numbersAndOrder() throws {
        let plan = try plan([Records.infra, Records.container("a"), Records.container("b")])
        for (index, step) in plan.steps.enumerated() {
            #expect(step.number == index)
            #expect(step.dependencies.allSatisfy { $0 < index })
        }
    }

    @Test func theSameInputMakesTheSamePlan() throws {
        let containers = [Records.infra, Records.container("a")]
        #expect(try plan(containers) == plan(containers))
    }

    @Test func infraEndsLast() throws {
        let plan = try plan(
            [Records.infra, Records.container("a"), Records.container("b")],
            ["i": Records.running(1), "a": Records.running(2), "b": Records.running(3)])
        #expect(plan.waits("i end 1", for: "a end 2"))
        #expect(plan.waits("i end 1", for: "b end 3"))
        #expect(!plan.waits("a end 2", for: "b end 3"))
        // Deleting what has ended already need not wait for the infra container.
        #expect(!plan.waits("a delete runc", for: "i end 1"))
    }

    @Test func nothingIsTouchedBeneathALivingContainer() throws {
        let plan = try plan(
            [Records.infra, Records.container("a")], ["i": Records.running(1), "a": Records.running(2)],
            mounts: ["/run/ctr/a/rootfs", "/run/pods/p/shm", "/run/pods/p/secret"])
        for line in ["a unmount /run/ctr/a", "a remove-directory /run/ctr/a"] {
            #expect(plan.waits(line, for: "a delete runc"))
            #expect(plan.waits(line, for: "a end 2"))
        }
        for line in [
            "p unmount /run/pods/p/shm", "p unmount /run/pods/p", "p remove-directory /run/pods/p",
            "p delete-namespace /run/netns/cni-p",
        ] {
            #expect(plan.waits(line, for: "a delete runc"))
            #expect(plan.waits(line, for: "i delete runc"))
        }
    }

    @Test func everythingThatLastsWaitsForTheMark() throws {
        let plan = try plan(
            [Records.infra, Records.container("a")], ["a": Records.running(2)], mounts: ["/run/ctr/a/x"])
        for step in plan.steps where step.verb != "mark" && step.verb != "end" {
            #expect(plan.waits(plan.lines[step.number], for: "p mark"))
        }
    }

    @Test func forgettingComesLastAndWaitsForAll() throws {
        let plan = try plan([Records.infra, Records.container("a")])
        let last = try #require(plan.steps.last)
        #expect(last.verb == "forget")
        #expect(last.dependencies == Array(0..<last.number))
    }

    @Test func onlyWorkloadsReleaseTheirOwnNames() throws {
        let plan = try plan([Records.infra, Records.container("a")])
        #expect(plan.steps.filter { $0.verb == "release-name" }.map(\.subject.id) == ["a"])
        #expect(plan.waits("a release-name a_web_default_u_0", for: "a remove-directory /run/ctr/a"))
    }

    // MARK: Processes

    @Test func anEndedContainerIsOnlyDeleted() throws {
        let plan = try plan([Records.container("a")], ["a": .ended(remaining: [])])
        #expect(!plan.lines.contains { $0.contains(" end") })
        #expect(plan.number("a delete runc") != nil)
    }

    @Test func whatIsLeftInTheCgroupIsEndedFirst() throws {
        let plan = try plan([Records.container("a")], ["a": .ended(remaining: [7, 8])])
        let end = try #require(plan.steps.first { $0.verb == "end" })
        #expect(end.action == .end(.remaining([7, 8]), signal: 9, grace: .zero))
        #expect(plan.waits("a delete runc", for: "a end"))
    }

    @Test func withoutARecordedProcessTheRuntimeIsAsked() throws {
        for processes: [String: SandboxSnapshot.Processes] in [[:], ["a": .unknown]] {
            let end = try #require(try plan([Records.container("a")], processes).steps.first { $0.verb == "end" })
            #expect(end.action == .end(.askRuntime, signal: 9, grace: .zero))
        }
    }

    @Test func eachContainerHasItsRuntime() throws {
        let plan = try plan([Records.infra, Records.container("a", runtime: "crun")])
        #expect(plan.lines.contains("i delete runc") && plan.lines.contains("a delete crun"))
    }

    // MARK: Mounts

    @Test func onlyOutermostMountsAreDetached() throws {
        let plan = try plan(
            [Records.container("a")],
            mounts: [
                "/run/ctr/a/rootfs", "/run/ctr/a/rootfs/proc", "/run/ctr/a/rootfs", "/run/ctr/a/rootfsx",
                "/run/ctr/ab/x",
            ])
        let unmount = try #require(plan.steps.first { $0.verb == "unmount" && $0.subject.id == "a" })
        #expect(
            unmount.action
                == .unmount(
                    beneath: Container.Directory(path: "/run/ctr/a"),
                    mounts: ["/run/ctr/a/rootfs", "/run/ctr/a/rootfsx"].map { Array($0.utf8) }))
        #expect(plan.steps.filter { $0.verb == "unmount" && $0.subject.id == "a" }.count == 1)
    }

    @Test func aDirectoryThatIsAMountPointItself() throws {
        let plan = try plan([Records.container("a")], mounts: ["/run/ctr/a"])
        let unmount = try #require(plan.steps.first { $0.verb == "unmount" && $0.subject.id == "a" })
        #expect(
            unmount.action
                == .unmount(beneath: Container.Directory(path: "/run/ctr/a"), mounts: [Array("/run/ctr/a".utf8)]))
        #expect("\(unmount)" == "unmount /run/ctr/a")
    }

    @Test func noMountsNoUnmount() throws {
        let plan = try plan([Records.container("a")], mounts: ["/run/ctr", "/run/pods"], of: Records.sandbox(shm: nil))
        #expect(!plan.steps.contains { $0.verb == "unmount" })
    }

    @Test(arguments: [nil, "/dev/shm"]) func shmThatIsNotThePods(_ shm: String?) throws {
        let plan = try plan([Records.infra], mounts: ["/dev/shm"], of: Records.sandbox(shm: shm))
        #expect(!plan.steps.contains { $0.verb == "unmount" })
    }

    @Test func shmIsUnmountedOnceAndBeforeItsDirectory() throws {
        let plan = try plan([Records.infra], mounts: ["/run/pods/p/shm"])
        #expect(plan.lines.filter { $0.contains("unmount") } == ["p unmount /run/pods/p/shm"])
        #expect(plan.waits("p remove-directory /run/pods/p", for: "p unmount /run/pods/p/shm"))
    }

    @Test func shmElsewhereDoesNotHoldTheDirectoryUp() throws {
        let plan = try plan([Records.infra], of: Records.sandbox(shm: "/run/shm/p"))
        #expect(plan.number("p unmount /run/shm/p") != nil)
        #expect(!plan.waits("p remove-directory /run/pods/p", for: "p unmount /run/shm/p"))
    }

    @Test func aContainersDirectoryInsideTheSandboxsGoesFirst() throws {
        let inside = Records.container("a", directories: ["/run/pods/p/a"])
        let plan = try plan([inside, Records.container("b", directories: ["/run/pods/pb"])])
        #expect(plan.waits("p remove-directory /run/pods/p", for: "a remove-directory /run/pods/p/a"))
        #expect(!plan.waits("p remove-directory /run/pods/p", for: "b remove-directory /run/pods/pb"))
    }

    @Test func everyDirectoryOfAContainer() throws {
        let container = Records.container("a", directories: ["/run/ctr/a", "/var/ctr/a"])
        let plan = try plan([container])
        #expect(plan.waits("a release-name a_web_default_u_0", for: "a remove-directory /run/ctr/a"))
        #expect(plan.waits("a release-name a_web_default_u_0", for: "a remove-directory /var/ctr/a"))
    }

    // MARK: Namespaces and boots

    @Test func closedAndAbsentNamespaces() throws {
        let closed = NamespacePin(kind: .network, path: "/run/netns/cni-p", closed: true)
        #expect(
            try !plan([], of: Records.sandbox(namespaces: [closed])).steps.contains { $0.verb == "delete-namespace" })
        #expect(try !plan([], of: Records.sandbox(namespaces: [])).steps.contains { $0.verb == "delete-namespace" })
    }

    @Test func everyKindOfNamespace() throws {
        let pins = NamespaceKind.allCases.map { NamespacePin(kind: $0, path: "/run/\($0.rawValue)ns/p") }
        let plan = try plan([], of: Records.sandbox(namespaces: pins))
        #expect(plan.steps.filter { $0.verb == "delete-namespace" }.map(\.action) == pins.map { .deleteNamespace($0) })
    }

    @Test func afterARebootNothingInMemoryIsTouched() throws {
        let containers = [Records.infra, Records.container("a")]
        // A process with the recorded pid and a pin of that name exist again: they are others'.
        let plan = try plan(containers, ["a": Records.running(20)], bootID: "another")
        #expect(plan.isAfterReboot)
        #expect(!plan.steps.contains { $0.verb == "delete-namespace" })
        for step in plan.steps where step.verb == "end" {
            #expect(step.action == .end(.beforeReboot, signal: 9, grace: .zero))
        }
        #expect(plan.number("p remove-directory /run/pods/p") != nil)
    }

    @Test func anUnknownBootIsTakenForThisOne() throws {
        #expect(try !plan([], bootID: "another", of: Records.sandbox(bootID: nil)).isAfterReboot)
    }

    @Test func aSandboxWithoutContainers() throws {
        let plan = try plan([], of: Records.sandbox(shm: nil, namespaces: []))
        #expect(plan.lines == ["p mark", "p remove-directory /run/pods/p", "p forget web_default_u_0"])
    }

    @Test func aSecondAttemptOfWhatIsLeft() throws {
        // The workload was forgotten by the first; the sandbox is marked.
        let plan = try plan([Records.infra], ["i": .ended(remaining: [])], of: Records.sandbox(state: .removing))
        #expect(!plan.lines.contains { $0.hasPrefix("a ") })
        #expect(plan.number("p forget web_default_u_0") != nil)
    }
}
