import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Shims and conmons that wait for containers: `gc`, as root, ends those of which nothing else is left, and no others.
@Suite(.serialized) struct LeftMonitorTests {
    private static let id = String(repeating: "6d", count: 32)
    /// Called after its container, as containerd's and CRI-O's are.
    private static let bundle = "/mnt/lost-bundle/\(id)"

    /// A process that is started as conmon, or as runc's shim in its bundle, and does nothing.
    private func start(
        _ node: PodNode, _ program: String, id: String = id, child: Bool = false, by prefix: String = ""
    ) throws -> Int32 {
        try shell(
            """
            mkdir -p \(Self.bundle); cp /usr/bin/python3 /mnt/\(program)
            echo '\(child ? "import os, time; os.fork()" : "import time"); time.sleep(1000)' >/mnt/monitor.py
            """)
        node.addEnding("rm -rf /mnt/lost-bundle /mnt/\(program) /mnt/monitor.py")
        let text = try shell(
            """
            cd \(Self.bundle)
            PYTHONHOME=/usr \(prefix) /mnt/\(program) /mnt/monitor.py --bundle \(Self.bundle) --cid \(id) -id \(id) \
            </dev/null >/dev/null 2>&1 &
            echo $!
            """)
        let pid = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        node.addEnding("pkill -9 -P \(pid) || true; kill -9 \(pid) 2>/dev/null || true")
        #expect(soon { (try? NodeProcess(pid).read("comm"))?.hasPrefix(program.prefix(15)) == true })
        if child { #expect(soon { (try? shell("pgrep -P \(pid)")) != nil }) }
        return pid
    }

    private func gc(_ node: PodNode, _ pid: Int32, _ arguments: [String], as user: UInt32 = 0) throws -> [String:
        any Sendable]?
    {
        let result = try node.podreap(["gc", "--json"] + arguments, as: user)
        #expect(result.status == 0 && result.errors == "", "\(result)")
        return try result.lines().first { $0["path"] as? String == "/proc/\(pid)" }
    }

    @Test(arguments: ["conmon", "containerd-shim-runc-v2"]) func isExplainedAndEnded(_ program: String) throws {
        try withReproNode { node in
            let pid = try start(node, program)
            let zero = ["--older-than", "0"]
            #expect(try gc(node, pid, zero) == nil, "its bundle is there")
            try shell("rm -rf \(Self.bundle)")
            #expect(try gc(node, pid, zero, as: PodNode.user) == nil, "only root sees that it is the node's")
            let young = try gc(node, pid, [])
            #expect(
                young?["outcome"] as? String == "kept" && (young?["reason"] as? String)?.contains("younger") == true)
            let seen = try #require(try gc(node, pid, zero))
            #expect(seen["outcome"] as? String == "removable" && seen["path"] as? String == "/proc/\(pid)")
            let reason = try #require(seen["reason"] as? String)
            #expect(reason.contains(program) && reason.contains(Self.id), "\(reason)")
            #expect(NodeProcess(pid).isAlive)
            #expect(try gc(node, pid, zero + ["--remove"])?["outcome"] as? String == "removed")
            #expect(!NodeProcess(pid).isAlive)
            #expect(try gc(node, pid, zero) == nil)
        }
    }

    /// A child, a directory of its container, a registered pod, or a mount namespace of its own: then it stays.
    @Test(arguments: ["child", "directory", "registered", "namespace", "shim of another kind"])
    func staysWhereSomethingSpeaksForIt(_ what: String) throws {
        try withReproNode { node in
            let program = what == "shim of another kind" ? "containerd-shim-kata-v2" : "conmon"
            if what == "registered" {
                try node.sandbox("p1")
                try node.expectRegistration(of: "p1", [])
            }
            let pid = try start(
                node, program, id: what == "registered" ? "p1" : Self.id, child: what == "child",
                by: what == "namespace" ? "unshare -m" : "")
            let directory = node.directory(ofSandbox: Self.id)
            if what == "directory" { try shell("mkdir \(directory)") }
            try shell("rm -rf \(Self.bundle)")
            #expect(try gc(node, pid, ["--remove", "--older-than", "0"]) == nil)
            #expect(NodeProcess(pid).isAlive)
            #expect(FileManager.default.fileExists(atPath: directory) == (what == "directory"))
        }
    }
}
