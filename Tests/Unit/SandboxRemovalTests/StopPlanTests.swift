import SandboxRegistry
import SandboxRemoval
import Testing

@Suite struct StopPlanTests {
    private func plan(
        _ containers: [Container], _ processes: [String: SandboxSnapshot.Processes], grace: Duration = .seconds(10),
        sandbox: Sandbox = Records.sandbox()
    ) throws -> RemovalPlan {
        .stop(sandbox, containers, try Records.seen(processes), grace: grace)
    }

    @Test func aRunningPod() throws {
        let plan = try plan(
            [Records.infra, Records.container("a")], ["i": Records.running(10), "a": Records.running(20)])
        #expect(
            plan.lines == [
                "a end 20", "i end 10", "p unmount /run/pods/p/shm", "p delete-namespace /run/netns/cni-p",
                "p mark-stopped",
            ])
        #expect(plan.waits("i end 10", for: "a end 20"))
        #expect(plan.waits("p unmount /run/pods/p/shm", for: "i end 10"))
        #expect(plan.waits("p delete-namespace /run/netns/cni-p", for: "a end 20"))
        #expect(plan.steps.last?.dependencies == [0, 1, 2, 3])
    }

    @Test func eachContainerGetsItsOwnSignalAndTheGrace() throws {
        let plan = try plan([Records.container("a")], ["a": Records.running(20)], grace: .milliseconds(1500))
        let process = ProcessReference(pid: 20, startTime: 200)
        #expect(plan.steps[0].action == .end(.process(process), signal: 3, grace: .milliseconds(1500)))
        #expect("\(plan.steps[0])" == "send SIGQUIT to process 20, KILL after 1.5 s, and wait for its end")
    }

    @Test func noGraceKillsAtOnce() throws {
        let plan = try plan([Records.container("a")], ["a": Records.running(20)], grace: .zero)
        #expect(
            plan.steps[0].action == .end(.process(ProcessReference(pid: 20, startTime: 200)), signal: 9, grace: .zero))
    }

    @Test func stoppingTwice() throws {
        let closed = NamespacePin(kind: .network, path: "/run/netns/cni-p", closed: true)
        let plan = try plan(
            [Records.infra], ["i": .ended(remaining: [])],
            sandbox: Records.sandbox(shm: nil, namespaces: [closed], state: .notReady))
        #expect(plan.lines == ["p mark-stopped"])
    }

    @Test func nothingIsDeletedOrForgotten() throws {
        let plan = try plan([Records.infra, Records.container("a")], [:])
        let verbs = Set(plan.steps.map(\.verb))
        #expect(verbs.isDisjoint(with: ["delete", "remove-directory", "release-name", "forget", "mark"]))
    }
}
