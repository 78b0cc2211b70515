import Foundation
import HelperProtocol
import SamplePod
import TestNode
import TestPods
import Testing

/// Counts by strace(1), which root may attach to a helper.
@Suite(.serialized) struct SystemCallTests {
    /// How many system calls a helper makes for one request.
    private func calls(_ helper: TestHelper, _ request: Request) throws -> Double {
        let output = "/mnt/system-calls"
        let strace = try Program(
            strace(["-qq", "-c", "-U", "calls,name", "-o", output, "-p", "\(helper.process.pid)"]))
        let deadline = ContinuousClock.now + .seconds(10)
        while try NodeProcess(helper.process.pid).status()["TracerPid"] == "0" {
            try #require(.now < deadline, "strace does not attach")
            Thread.sleep(forTimeInterval: 0.001)
        }
        // The wait that strace has interrupted is made again, and counted once.
        let answer = try helper.ask(request)
        #expect(answer.outcome == .done || answer.outcome == .alreadyDone, "\(answer.reply)")
        strace.kill(SIGINT)
        _ = try strace.wait(seconds: 10)
        let total = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
            .compactMap { $0.hasSuffix(" total") ? Double($0.split(separator: " ")[0]) : nil }.last
        return try #require(total, "no total in what strace says")
    }

    private func strace(_ arguments: [String]) -> ProgramStart {
        var start = ProgramStart("/usr/bin/strace", arguments)
        start.input = 0
        return start
    }

    @Test(arguments: [("touch", "system-calls-per-file"), ("mkdir", "system-calls-per-empty-directory")])
    func trees(_ make: String, _ name: String) throws {
        try TestNode.shared()
        let count = 5000
        let directory = "\(TestNode.sandboxes)/cost"
        let helper = try TestHelper()
        // The first takes memory that later ones use again.
        try shell("mkdir \(directory)")
        _ = try helper.ask(.remove(.at(TestNode.Root.sandboxes, "cost")))
        try shell("mkdir \(directory) && cd \(directory) && \(make) $(seq \(count))")
        try Thresholds.check(
            try calls(helper, .remove(.at(TestNode.Root.sandboxes, "cost"))) / Double(count), name)
    }

    @Test func unmountOfNothing() throws {
        let helper = try TestHelper()
        let request = Request.unmount(try .at(TestNode.Root.sandboxes, "nothing"), .act(only: nil))
        try Thresholds.check(try calls(helper, request), "system-calls-per-unmount-of-nothing")
    }
}

/// What a whole removal executes, seen by strace(1) around the command line: root may trace what has file capabilities.
@Suite(.serialized) struct RuntimeCallTests {
    @Test(arguments: [Workload.Behaviour.handlesTerm, .ignoresTerm]) func fastPath(_ behaviour: Workload.Behaviour)
        throws
    {
        try withPodNode { node in
            let pod = try node.pod("web", [Workload(behaviour), Workload(behaviour)])
            let registered = try node.podreap(["register", try node.write(pod.registration, as: "cost.json")])
            #expect(registered.status == 0, "\(registered.errors)")
            let log = "\(node.library)/execs"
            try shell(
                """
                strace -f -qq -e trace=execve,execveat -e signal=none -e status=successful -o \(log) \
                setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups \
                env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(TestNode.helper) /mnt/podreap remove \(pod.id)
                """)
            #expect(pod.leftovers() == [])
            // Only launchers use execveat.
            let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                .filter { $0.contains("execveat(") && $0.contains("--root") }
            #expect(calls.count >= pod.containers.count, "\(calls)")
            try Thresholds.check(Double(calls.count) / Double(pod.containers.count), "runtime-calls-per-container")
        }
    }

    /// What a removal writes to SQLite's log: pages, each with its header; and how often it waits for the disk, once
    /// for its mark and otherwise when podreap empties the log at its end.
    @Test(arguments: [1, 3]) func registry(_ workloads: Int) throws {
        try withPodNode { node in
            let pod = try node.pod("web", (0..<workloads).map { _ in Workload() })
            let registered = try node.podreap(["register", try node.write(pod.registration, as: "cost.json")])
            #expect(registered.status == 0, "\(registered.errors)")
            let log = "\(node.library)/writes"
            try shell(
                """
                strace -f -qq -y -e trace=pwrite64,fdatasync,fsync -e signal=none -o \(log) \
                setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups \
                env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(TestNode.helper) /mnt/podreap remove \(pod.id)
                """)
            #expect(pod.leftovers() == [])
            let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                .filter { $0.contains("registry.sqlite") && !$0.contains("resumed") }
            let writes = calls.count { $0.contains("pwrite64(") && $0.contains("registry.sqlite-wal") }
            let syncs = calls.count { $0.contains("sync(") }
            #expect(writes > 0 && syncs > 0)
            try Thresholds.check(Double(writes), "registry-writes-per-removal-with-\(workloads)")
            try Thresholds.check(Double(syncs), "registry-syncs-per-removal")
        }
    }
}
