import Foundation
import Testing

@testable import SandboxRegistry

@Suite("Removing, levels, reports")
struct RemovingTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = try Registry(path: directory.registry)
    }

    private func levels() throws -> [String: Int] {
        Dictionary(uniqueKeysWithValues: try registry.levelsInUse().map { ($0.level, $0.sandboxes) })
    }

    @Test func nothingEntersASandboxThatIsBeingRemoved() throws {
        let sandbox = Sandbox.sample("a")
        try registry.register(sandbox, [])
        try registry.register([sandbox.workload("c1")], into: "a")
        try registry.markRemoving("a")
        try registry.markRemoving("a")
        let error = #expect(throws: RegistryError.self) {
            try registry.register([sandbox.workload("c2")], into: "a")
        }
        #expect(error == .beingRemoved(id: "a"))
        #expect(error?.description == "the sandbox a is being removed; nothing can be registered into it")
        #expect(throws: RegistryError.beingRemoved(id: "a")) { try registry.register(sandbox, []) }
        try registry.markNotReady("a")
        #expect(try registry.sandboxes().map(\.state) == [.removing], "nothing leads back")
        #expect(try Registry(path: directory.registry).sandboxes().map(\.state) == [.removing])
    }

    @Test func unknownSandboxesAreTold() throws {
        #expect(throws: RegistryError.unknownSandbox(id: "a")) { try registry.markRemoving("a") }
        #expect(throws: RegistryError.unknownSandbox(id: "a")) { try registry.markNotReady("a") }
        #expect(throws: RegistryError.unknownSandbox(id: "a")) { try registry.closeNamespace("/run/netns/a", of: "a") }
        #expect(throws: RegistryError.unknownSandbox(id: "a")) { try registry.register([], into: "a") }
        #expect(try registry.forgetSandbox("a", report: .sample("a")) == false)
        #expect(try registry.reports(limit: 10).isEmpty)
        try registry.forgetContainer("c")
    }

    @Test func aStoppedSandboxIsNotReadyAndItsNamespaceClosed() throws {
        try registry.register(.sample("a"), [])
        try registry.markNotReady("a")
        for _ in 0..<2 { try registry.closeNamespace("/run/netns/a", of: "a") }
        let sandbox = try #require(try registry.sandbox("a"))
        #expect(sandbox.state == .notReady)
        #expect(sandbox.namespaces.map(\.closed) == [true, false])
        #expect(throws: RegistryError.unknownNamespace(path: "/run/pods/a", sandbox: "a")) {
            try registry.closeNamespace("/run/pods/a", of: "a")
        }
    }

    @Test func namesAreReleasedInTheirOrder() throws {
        let sandbox = Sandbox.sample("a")
        let other = Sandbox.sample("b")
        try registry.register(sandbox, [sandbox.infra, sandbox.workload("c1", name: "app"), sandbox.workload("c2")])
        try registry.register(other, [other.infra, other.workload("d1")])
        // A workload's name with its container.
        try registry.forgetContainer("c1")
        try registry.forgetContainer("c1")
        try registry.register([sandbox.workload("c1", name: "app")], into: "a")
        // The infra container's only with the sandbox.
        try registry.forgetContainer("a")
        #expect(throws: RegistryError.nameHeld(.container, name: "POD_\(sandbox.metadata.reservedName)", holder: "a")) {
            try registry.register([sandbox.infra], into: "a")
        }
        // Not before the workloads are gone.
        try registry.markRemoving("a")
        #expect(throws: RegistryError.containersLeft(sandbox: "a", containers: ["c2", "c1"])) {
            try registry.forgetSandbox("a", report: .sample("a"))
        }
        #expect(try registry.reports(limit: 10).isEmpty)
        try registry.forgetContainer("c1")
        try registry.forgetContainer("c2")
        #expect(try registry.forgetSandbox("a", report: .sample("a")))
        #expect(try registry.sandboxes().map(\.id) == ["b"])
        #expect(try registry.containers(of: "b").map(\.id) == ["b", "d1"])
        #expect(try registry.reports(limit: 10) == [.sample("a")])
        // All of it again at once.
        try registry.register(sandbox, [sandbox.infra, sandbox.workload("c1"), sandbox.workload("c2")])
        try registry.verify()
    }

    @Test func levelsAreCountedAndReleasedWithTheLast() throws {
        var apart = Sandbox.sample("d", level: "s0:c7")
        apart.mountLabel = "system_u:object_r:container_file_t:s0:c8"
        var plain = Sandbox.sample("e")
        plain.processLabel = ""
        plain.mountLabel = "system_u:object_r:container_file_t"
        for sandbox in [Sandbox.sample("a"), .sample("b"), .sample("c", level: "s0:c3,c4"), apart, plain] {
            try registry.register(sandbox, [])
        }
        #expect(try levels() == ["s0:c1,c2": 2, "s0:c3,c4": 1, "s0:c7": 1, "s0:c8": 1])
        try registry.markRemoving("a")
        #expect(try levels()["s0:c1,c2"] == 2, "a level is in use until its sandbox is forgotten")
        try registry.forgetSandbox("a", report: .sample("a"))
        #expect(try levels()["s0:c1,c2"] == 1)
        try registry.forgetSandbox("b", report: .sample("b"))
        try registry.forgetSandbox("d", report: .sample("d"))
        #expect(try levels() == ["s0:c3,c4": 1])
    }

    @Test func reportsAreReadNewestFirst() throws {
        let reports = [
            StoredReport.sample("aa1", pod: "web"), .sample("aa2", pod: "db", outcome: "incomplete"),
            .sample("b_%", pod: "wéb*"),
        ]
        for report in reports { try registry.keepReport(report) }
        #expect(try registry.reports(limit: 10) == reports.reversed())
        #expect(try registry.reports(limit: 1) == [reports[2]])
        #expect(try registry.reports(limit: 0).isEmpty)
        #expect(try registry.reports(limit: 10, matching: "aa") == [reports[1], reports[0]])
        #expect(try registry.reports(limit: 10, matching: "web") == [reports[0]])
        #expect(try registry.reports(limit: 10, matching: "wéb*") == [reports[2]])
        #expect(try registry.reports(limit: 10, matching: "%").isEmpty)
        #expect(try registry.reports(limit: 1, of: "aa1") == [reports[0]], "the newest of that one, not the newest")
        #expect(try registry.reports(limit: 1, of: "aa").isEmpty)
        #expect(try registry.reports(limit: 1, of: "web").isEmpty)
        #expect(try registry.reports(limit: 1, matching: "we") == [reports[0]])
        #expect(try registry.reportedIDs(beginning: "aa") == ["aa1", "aa2"])
        try registry.keepReport(.sample("c", pod: "web_default_u_0"))
        try registry.keepReport(.sample("d", pod: "web-1_default_u_0"))
        #expect(try registry.reports(limit: 1, ofPod: "web", in: nil).map(\.sandboxID) == ["c"])
        #expect(try registry.reports(limit: 1, ofPod: "web", in: "default").map(\.sandboxID) == ["c"])
        #expect(try registry.reports(limit: 1, ofPod: "web", in: "def").isEmpty)
        let empty = StoredReport(
            sandboxID: "x", podName: "", startedAt: Date(timeIntervalSince1970: 0), duration: .zero, outcome: "stopped",
            body: Data())
        try registry.keepReport(empty)
        #expect(try registry.reports(limit: 1).first?.body == Data())
    }

    @Test func onlyTheNewestReportsAreKept() throws {
        for number in 0..<(Registry.keptReports + 5) {
            try registry.keepReport(.sample("r\(number)", pod: "pod-\(number)_default_u_0"))
        }
        let kept = try registry.reports(limit: .max)
        #expect(kept.count == Registry.keptReports)
        #expect(kept.first?.sandboxID == "r\(Registry.keptReports + 4)")
        #expect(kept.last?.sandboxID == "r5")
    }

    /// A pod that is stuck is tried again and again, in ever new attempts: it leaves room for the others'.
    @Test func onePodDoesNotPushOutTheOthers() throws {
        for number in 0..<30 { try registry.keepReport(.sample("other\(number)", pod: "web-\(number)_default_u_0")) }
        for number in 0..<1500 {
            try registry.keepReport(.sample("stuck\(number % 3)", pod: "stuck_default_u1_\(number % 200)"))
        }
        let kept = try registry.reports(limit: .max)
        #expect(kept.count { $0.sandboxID.hasPrefix("other") } == 30)
        #expect(kept.count { $0.sandboxID.hasPrefix("stuck") } == Registry.keptReportsOfPod)
        #expect(kept.first?.sandboxID == "stuck2")
    }
}
