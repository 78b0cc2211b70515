import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Runtimes' states that are damaged, and records that are another's by now.
@Suite(.serialized) struct StateTests {
    /// runc#703, youki#1640: the disk was full, and the state file is empty; runc itself fails for ever.
    @Test func anEmptyStateFileKeepsNoContainer() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let (living, dead) = (try node.run("c1"), try node.run("c2"))
            try node.expectRegistration(of: "p1", ["c1", "c2"])
            try shell(": >\(node.state(of: "c1"))/state.json; kill -9 \(dead)")
            #expect(NodeProcess.waitForEnd(of: [dead], seconds: 5) == [])
            try shell(": >\(node.state(of: "c2"))/state.json")
            try node.expectRemoval(of: "p1", ["c1", "c2"])
            #expect(!NodeProcess(living).isAlive)
        }
    }

    /// runc#703, containerd#8102: the runtime was killed while it created the container, before or after the registration.
    @Test(arguments: [true, false]) func anAbortedCreationIsRegisteredAndRemoved(_ isKnownBefore: Bool) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer()
            container.createHook = ["/bin/sleep", "3.14159"]
            try node.bundle("c1", container)
            if isKnownBefore { try node.expectRegistration(of: "p1", ["c1"]) }
            try shell(
                """
                cd \(node.directory(of: "c1"))
                runc --root \(node.sample.runtimeRoot) create --bundle . c1 </dev/null >/dev/null 2>log & runtime=$!
                sleep 1
                kill -9 $runtime
                sleep 3
                [ -d \(node.state(of: "c1")) ] && [ ! -e \(node.state(of: "c1"))/state.json ]
                """)
            if !isKnownBefore { try node.expectRegistration(of: "p1", ["c1"]) }
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// Made again under the same id and paths: nothing of it is what was registered, and all of it stays.
    @Test func whatHasTheIDAndThePathsByNowIsLeftAlone() throws {
        try withReproNode { node in
            func make() throws -> Int32 {
                try node.sandbox("p1")
                try node.pinNamespace(ofSandbox: "p1")
                return try node.run("c1")
            }
            let first = try make()
            try node.expectRegistration(of: "p1", ["c1"])
            try shell("kill -9 \(first)")
            #expect(NodeProcess.waitForEnd(of: [first], seconds: 5) == [])
            let (sandbox, container, pin) = (
                node.directory(ofSandbox: "p1"), node.directory(of: "c1"), node.pin(ofSandbox: "p1")
            )
            try shell(
                """
                runc --root \(node.sample.runtimeRoot) delete c1
                umount \(container)/rootfs \(pin) \(sandbox)/shm
                rm -r \(container) \(pin) \(sandbox)
                """)
            let pid = try make()
            try shell("echo new >\(sandbox)/shm/data")
            let whole = try node.leftovers(of: "p1", ["c1"])
            let namespace = try shell("stat -Lc %i \(pin)")
            _ = try node.podreap(["remove", "p1"])
            #expect(NodeProcess(pid).isAlive)
            #expect(try node.leftovers(of: "p1", ["c1"]) == whole)
            #expect(FileManager.default.fileExists(atPath: "\(sandbox)/shm/data"))
            #expect(FileManager.default.fileExists(atPath: "\(container)/config.json"))
            #expect(try shell("stat -Lc %i \(pin)") == namespace)
            #expect(try node.podreap(["inspect", "p1"]).status == 2, "the record stays, and nothing of it is left")
        }
    }
}
