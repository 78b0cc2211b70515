import SamplePod
import TestNode
import TestPods
import Testing

/// What only happens where each controller has a hierarchy of its own; not run on version 2.
@Suite(.serialized) struct Version1Tests {
    /// systemd#4079, systemd#15496: a daemon-reload moves a pod's processes to the root of some hierarchies.
    @Test func processesThatWereMovedOutOfSomeHierarchiesAreEnded() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer(script: "(trap '' TERM; exec sleep 50000) & exec sleep 50001")
            container.namespaces = ["mount", "ipc", "uts"]
            try node.run("c1", container)
            #expect(soon { (try? node.process(of: "c1", with: "50000")) != nil })
            let child = try node.process(of: "c1", with: "50000")
            node.addEnding("kill -9 \(child) 2>/dev/null || true")
            for pid in [child, try node.process(of: "c1", with: "50001")] {
                for hierarchy in ["memory", "devices", "cpu", "blkio", "cpuacct"] {
                    try shell("echo \(pid) >/sys/fs/cgroup/\(hierarchy)/cgroup.procs")
                }
            }
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
            #expect(!NodeProcess(child).isAlive)
        }
    }
}
