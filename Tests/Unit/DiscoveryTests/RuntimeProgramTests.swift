import Foundation
import SandboxRegistry
import TestNode
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

/// Which program runs a pod's containers: what its conmon or shim calls, or else what helper.conf says.
struct RuntimeProgramTests {
    private let node: FakeNode
    private static let program = "/usr/libexec/crio/runc-noom"

    init() throws { node = try FakeNode() }

    /// As CRI-O 1.36 starts it.
    private func conmon(_ id: String = CRIOPod.workload, program: String = program) throws -> ContainerMonitor {
        let line = """
            /usr/libexec/crio/conmon -b \(CRIOPod.run)/\(id)/userdata -c \(id) --exit-dir /var/run/crio/exits \
            -l /var/log/pods/web/a.log --log-level info -n k8s_a_web_default_2dace9c8_0 \
            -P \(CRIOPod.run)/\(id)/userdata/conmon-pidfile -p \(CRIOPod.run)/\(id)/userdata/pidfile \
            --persist-dir \(CRIOPod.data)/\(id)/userdata -r \(program) --runtime-arg --root=/run/runc \
            --socket-dir-path /var/run/crio --syslog -u \(id)
            """
        return try #require(
            ContainerMonitor(pid: 143, arguments: line.split(separator: " ").map(String.init)))
    }

    private func discover(_ monitors: [ContainerMonitor]) throws -> Discovery {
        try CRIOPod.place(on: node)
        return try Discovery(of: [.crio], files: node.files, monitors: monitors)
    }

    private func lines(_ discovery: Discovery) -> [String] {
        discovery.policy(caller: "0").split(separator: "\n").filter { $0.hasPrefix("runtime = ") }.map(String.init)
    }

    @Test func aConmonsCommandLine() throws {
        let monitor = try conmon()
        #expect(monitor.runtime == Self.program && monitor.runtimeRoot == "/run/runc")
        #expect(monitor.bundle == "\(CRIOPod.run)/\(CRIOPod.workload)/userdata")
        let other = try #require(
            ContainerMonitor(
                pid: 1,
                arguments: ["conmon", "--cid=a", "--runtime=/x/crun", "--runtime-arg", "--root", "--runtime-arg", "/r"])
        )
        #expect(other.containers == ["a"] && other.runtime == "/x/crun" && other.runtimeRoot == "/r")
    }

    /// The infra container has no conmon of its own, and with `drop_infra_ctr` no state.
    @Test(arguments: [true, false]) func isWhatConmonCalls(_ hasInfra: Bool) throws {
        try CRIOPod.place(on: node)
        if !hasInfra { try node.remove("/run/runc/\(CRIOPod.infra)") }
        let discovery = try Discovery(of: [.crio], files: node.files, monitors: [try conmon()])
        #expect(discovery.documents.first?.containers.map(\.runtime) == ["runc-noom", "runc-noom"])
        #expect(lines(discovery) == ["runtime = runc-noom \(Self.program) /run/runc"])
        #expect(discovery.problems == [])
    }

    /// A state root of its own is found through conmon.
    @Test func theRootIsWhatConmonSays() throws {
        try CRIOPod.place(on: node)
        let config = try FakeNode.fixture("crio/workload/state.json")
        try node.remove("/run/runc")
        try node.write(config, to: "/run/crio-runc/\(CRIOPod.workload)/state.json")
        let monitor = try #require(
            ContainerMonitor(
                pid: 9,
                arguments: [
                    "conmon", "-c", CRIOPod.workload, "-r", "/opt/runc", "--runtime-arg", "--root=/run/crio-runc",
                ]))
        let discovery = try Discovery(of: [.crio], files: node.files, monitors: [monitor])
        #expect(lines(discovery) == ["runtime = runc /opt/runc /run/crio-runc"])
    }

    @Test func isNotGuessed() throws {
        let discovery = try discover([])
        #expect(lines(discovery) == [])
        #expect(discovery.policy(caller: "0").contains("# runtime = runc /PATH/TO/runc /run/runc\n"))
    }

    /// The administrator's word counts where nothing else is known, and the name where both agree.
    @Test(arguments: [true, false]) func isWhatHelperConfSays(_ hasConmon: Bool) throws {
        try node.write(
            "caller = 0\n\truntime =  mine \(Self.program) /run/runc hooks # x\n", to: RuntimePrograms.policy)
        let discovery = try discover(hasConmon ? [try conmon()] : [])
        #expect(lines(discovery) == ["runtime = mine \(Self.program) /run/runc"])
        #expect(discovery.documents.first?.sandbox.runtime == "mine" && discovery.problems == [])
    }

    @Test func anotherInHelperConfIsAWarning() throws {
        try node.write("runtime = runc /usr/sbin/runc /run/runc\n", to: RuntimePrograms.policy)
        let discovery = try discover([try conmon(), try conmon(CRIOPod.infra)])
        #expect(lines(discovery) == ["runtime = runc-noom \(Self.program) /run/runc"])
        #expect(discovery.problems.count == 1)
        let problem = try #require(discovery.problems.first)
        for word in ["conmon (process 143)", Self.program, "helper.conf names /usr/sbin/runc"] {
            #expect(problem.contains(word), "\(problem)")
        }
    }

    /// A name that helper.conf has for another root.
    @Test func aNameThatIsTakenIsNotUsedTwice() throws {
        try node.write("runtime = runc /usr/sbin/runc /run/elsewhere\n", to: RuntimePrograms.policy)
        let discovery = try discover([try conmon(program: "/usr/sbin/runc")])
        #expect(lines(discovery) == ["runtime = runc-crio /usr/sbin/runc /run/runc"])
    }

    /// A shim calls the runtime by its name: which that is, its PATH says.
    @Test func isInTheShimsPath() throws {
        let place = NSTemporaryDirectory() + "podreap-shim-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: place) }
        let shim = "\(place)/containerd-shim-runc-v2"
        for (program, folder) in [("runc", "second"), ("runc", "third"), ("other", "first")] {
            try FileManager.default.createDirectory(atPath: "\(place)/\(folder)", withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: "/bin/dash", toPath: "\(place)/\(folder)/\(program)")
        }
        try FileManager.default.copyItem(atPath: "/bin/dash", toPath: shim)
        var start = ProgramStart(
            [shim, "-c", "echo ready; read x", "-id", ContainerdPod.infra],
            environment: ["PATH=relative:\(place)/first:\(place)/second:\(place)/third"])
        start.takesInput = true
        start.output = .read
        let process = try Program(start)
        _ = try process.readLine()
        let monitor = try #require(try ContainerMonitor.of(pid: process.pid))
        #expect(monitor.isOfNode)
        #expect(monitor.path(of: "runc") == "\(place)/second/runc" && monitor.path(of: "crun") == nil)
        try ContainerdPod.place(on: node)
        let discovery = try Discovery(of: [.containerd], files: node.files, monitors: [monitor])
        #expect(lines(discovery) == ["runtime = runc \(place)/second/runc \(ContainerdPod.states)"])
    }
}
