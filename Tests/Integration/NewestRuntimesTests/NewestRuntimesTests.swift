import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Real pods of this machine's runtimes and of the newest ones, removed by the command line as an unprivileged user.
@Suite(.serialized) struct NewestRuntimesTests {
    private static let hasNewest = Newest.directory != nil

    /// The first one: from the second on there is only version 2.
    @Test(.enabled(if: hasNewest, "\(Newest.reason)"), arguments: [false, true])
    func newestRunc(withHooks hooks: Bool) throws {
        try #require(try mounts(beneath: "/sys/fs/cgroup").contains("/sys/fs/cgroup"))
        try Self.removePods(of: Runtime(name: .runc, isNewest: true), withHooks: hooks)
    }

    @Test(
        .enabled(if: hasNewest, "\(Newest.reason)"),
        arguments: [(Runtime.Name.runc, false), (.runc, true), (.crun, false), (.crun, true)])
    func newestOnVersion2(_ name: Runtime.Name, withHooks hooks: Bool) throws {
        try Cgroups.seeVersion2Alone()
        try Self.removePods(of: Runtime(name: name, isNewest: true), withHooks: hooks)
    }

    @Test(arguments: [(Runtime.Name.runc, false), (.crun, false), (.crun, true)])
    func thisMachinesOnVersion2(_ name: Runtime.Name, withHooks hooks: Bool) throws {
        try Cgroups.seeVersion2Alone()
        try Self.removePods(of: Runtime(name: name, isNewest: false), withHooks: hooks)
    }

    private static func removePods(of runtime: Runtime, withHooks hooks: Bool) throws {
        try runtime.putInPlace()
        let log = try KernelLog()
        try withPodNode(runtime: runtime.path) { node in
            if hooks {
                let line = "\(runtime.path) \(node.sample.runtimeRoot)"
                try node.setPolicy(node.policy.replacing(line, with: "\(line) hooks"))
            }
            let pods = [
                try node.pod("three", [Workload(files: 300), Workload(.ignoresTerm), Workload(.leavesChild)], .pod),
                try node.pod("host", [Workload(.ignoresTerm), Workload(.leavesChild)], .host),
                try node.pod("own", [Workload(isPaused: true), Workload()]),
            ]
            for pod in pods {
                let document = try node.write(pod.registration, as: "\(pod.name).json")
                try Self.succeed(node.podreap(["register", document]))
            }
            // Cgroups of the container's own making.
            for pod in pods {
                for group in pod.workloads[0].cgroups where Entry.exists(group) { try shell("mkdir -p \(group)/a/b") }
            }
            try Self.succeed(node.podreap(["stop", "--grace", "1", pods[1].id]))
            for pod in pods { try Self.succeed(node.podreap(["remove", pod.id])) }
            for pod in pods { #expect(pod.leftovers() == []) }
            #expect(node.sample.volumeIsIntact)
        }
        for call in try log.calls(of: runtime.name.rawValue) {
            print("runtime: \(runtime.name) was told that system call \(call) is absent; its list does not know it")
        }
    }

    private static func succeed(_ result: PodreapResult) throws {
        guard result.status == 0 else { throw ProgramFailure(description: result.output + result.errors) }
    }

    /// With systemd as cgroup driver, on a node whose first process is this machine's systemd.
    @Test(
        arguments: [Runtime(name: .runc, isNewest: false), Runtime(name: .crun, isNewest: false)])
    func systemdDriver(_ runtime: Runtime) throws { try Self.removeOnSystemd(runtime) }

    @Test(
        .enabled(if: hasNewest, "\(Newest.reason)"),
        arguments: [Runtime(name: .runc, isNewest: true), Runtime(name: .crun, isNewest: true)])
    func newestWithSystemdDriver(_ runtime: Runtime) throws { try Self.removeOnSystemd(runtime) }

    private static func removeOnSystemd(_ runtime: Runtime) throws {
        try Runtime(name: runtime.name, isNewest: false).putInPlace()
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "systemd").path()
        let over = runtime.isNewest ? "\(try Newest.copy.get()):" : ""
        let said = try shell(
            "exec bash '\(script)' '\(over)/' \(runtime.name) \(TestNode.helper) '\(try TestPrograms.built("podreap"))' 2>&1"
        )
        for line in said.split(separator: "\n") where line.hasPrefix("runtime: ") { print(line) }
        #expect(said.hasSuffix("removed\nleft:\n"), "\(said)")
    }
}

/// Which system calls filters have not allowed; beside HelperTests there is what reads the kernel's log.
private struct KernelLog {
    private let program: Program

    init() throws {
        let source = URL(filePath: #filePath).appending(path: "../../HelperTests/Programs/kernel-log.c").standardized
        var start = ProgramStart(try TestPrograms.compile(source.path()))
        start.input = 0
        start.output = .read
        program = try Program(start)
        guard try program.readLine() == "ready\n" else { throw ProgramFailure(description: "no kernel log") }
    }

    func calls(of command: String) throws -> Set<String> {
        var calls: Set<String> = []
        while case let words = try program.readLine(seconds: 0.2).split(whereSeparator: \.isWhitespace),
            words.count == 2
        {
            if words[0] == command { calls.insert(String(words[1])) }
        }
        return calls
    }
}
