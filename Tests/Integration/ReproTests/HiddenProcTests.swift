import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Hardened nodes: what /proc hides is not taken for gone, and `doctor` says first what does not work.
@Suite(.serialized) struct HiddenProcTests {
    /// Options of proc(5), and whether podreap's user sees all with them.
    static let ways: [(options: String, isOpen: Bool)] = [
        ("hidepid=1", false), ("hidepid=2", false), ("hidepid=4", false), ("hidepid=2,subset=pid", false),
        ("hidepid=1,gid=\(PodNode.user)", true), ("hidepid=2,gid=\(PodNode.user)", true),
        // A group sees nothing more with this one: only what may be traced is seen.
        ("hidepid=4,gid=\(PodNode.user)", false), ("subset=pid", false),
    ]

    @Test(arguments: ways) func nothingIsConcludedFromWhatIsHidden(_ options: String, _ isOpen: Bool) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.sandbox("p2")
            let pid = try node.run("c1")
            try node.run("c2")
            try node.expectRegistration(of: "p1", ["c1"])
            // Nobody knows of p2 yet, and a process lives in its namespace.
            try node.pinNamespace(ofSandbox: "p2")
            let inside = try shell(
                "nsenter --net=\(node.pin(ofSandbox: "p2")) sleep 5000 >/dev/null 2>&1 & echo $!"
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            node.addEnding("kill -9 \(inside) 2>/dev/null || true")
            let whole = try node.leftovers(of: "p1", ["c1"])
            let other = try node.leftovers(of: "p2", ["c2"])
            try shell("mount -t proc -o \(options) proc /proc")
            var isHidden = true
            defer { if isHidden { _ = try? shell("umount -l /proc") } }
            let results = [
                try node.podreap(["gc", "--remove"]), try node.podreap(["explain", "p1"]),
                try node.register("p2", ["c2"]), try node.podreap(["remove", "p1"]),
            ]
            try shell("umount -l /proc")
            isHidden = false
            let left = try node.leftovers(of: "p1", ["c1"])
            if results[3].status == 0 {
                #expect(left == [], "\(results[3])")
            } else {
                #expect(!isOpen && results[3].status != 2, "\(results[3])")
                #expect(
                    results[3].errors.contains("hidepid") || results[3].errors.contains("subset=pid"), "\(results[3])")
                // What lives keeps everything beneath it.
                #expect(!NodeProcess(pid).isAlive || left == whole, "\(left)")
            }
            let otherLeft = try node.leftovers(of: "p2", ["c2"])
            #expect(otherLeft == other, "\(results[0])")
            if results[3].status != 0 { try node.expectRemoval(of: "p1", ["c1"]) }
            if results[2].status != 0 { try node.expectRegistration(of: "p2", ["c2"]) }
            try shell("kill -9 \(inside)")
            try node.expectRemoval(of: "p2", ["c2"])
        }
    }

    @Test(arguments: ways) func doctorSaysItFirst(_ options: String, _ isOpen: Bool) throws {
        try withReproNode { node in
            let mounted = "mount -t proc -o \(options) proc /proc"
            let shown = try Self.podreap(node, "doctor", after: mounted)
            let lines = shown.split(separator: "\n")
            let word = options.contains("subset") ? "subset=pid" : "hidepid"
            #expect(lines.contains { $0.hasPrefix("FAILED") && $0.contains(word) } == !isOpen, "\(shown)")
            let marks = lines.compactMap { line in
                ["FAILED", "WARN", "skip", "ok"].firstIndex { line.hasPrefix("\($0) ") }
            }
            #expect(marks == marks.sorted() && marks.count > 10, "\(shown)")
        }
    }

    /// Swift finds a program's arguments in /proc: it once showed its usage and exited with 0.
    @Test(arguments: ["remove p1", "doctor", "ps", "--help"]) func withoutAProcNothingIsDone(_ command: String) throws {
        try withReproNode { node in
            let shown = try Self.podreap(node, command, after: "mount -t tmpfs none /proc")
            #expect(
                shown
                    == "podreap: there is no /proc that shows this process, so nothing can be told about the node; mount -t proc proc /proc\n3\n"
            )
        }
    }

    /// Links, files and FIFOs of others in directories that all can write to (proc_sys_fs(5)).
    @Test func protectedFilesystemsAreNoObstacle() throws {
        let names = ["protected_hardlinks", "protected_symlinks", "protected_regular", "protected_fifos"]
        let saved = try shell(
            "cd /proc/sys/fs; for name in \(names.joined(separator: " ")); do echo \"$name=$(cat $name)\"; done")
        defer {
            _ = try? shell(
                "cd /proc/sys/fs; for each in \(saved.replacing("\n", with: " ")); do echo \"${each#*=}\" >\"${each%%=*}\"; done"
            )
        }
        try shell(
            "cd /proc/sys/fs; echo 1 >protected_hardlinks; echo 1 >protected_symlinks; echo 2 >protected_regular; echo 2 >protected_fifos"
        )
        try withReproNode { node in
            try node.sandbox("p1")
            try node.run("c1")
            // A container's directory with the sticky bit, and strangers' files, links and FIFOs in it.
            try shell(
                """
                cd \(node.directory(of: "c1")); mkdir -m 1777 open; cd open; mkfifo -m 666 fifo; ln -s /etc/passwd link
                echo text >file; ln file second; chmod 666 file; chown -h 4321:4321 fifo link file second; chown 4321:4321 .
                """)
            try node.expectRegistration(of: "p1", ["c1"])
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// Output and errors of a command as podreap's user, in a mount namespace that a script has prepared, and its exit status.
    private static func podreap(_ node: PodNode, _ command: String, after script: String) throws -> String {
        _ = try node.podreap(["--version"])
        return try shell(
            """
            exec unshare --mount --propagation private sh -c '\(script)
            setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups env PODREAP_REGISTRY=\(node.registryPath) \
            PODREAP_HELPER=\(TestNode.helper) NO_COLOR=1 /mnt/podreap \(command) 2>&1; echo $?'
            """)
    }
}
