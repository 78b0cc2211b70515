import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Of what it cannot be known whether it lives: each code says so and deletes nothing, and each has the same safe way out.
@Suite(.serialized) struct AssumedDeadTests {
    /// How a pod comes to be unknown, with the code that says it. The pod is p1 and its container c1.
    struct Case: CustomTestStringConvertible, Sendable {
        var code: String
        var isProcHidden = true
        var make: @Sendable (PodNode) throws -> Void
        var testDescription: String { code }
    }

    static let cases = [
        // A registry of an earlier release has no more than pid and start time, and another process has the pid by now.
        Case(code: "hidden-process") { node in
            try endAndRegister(node)
            let stranger = try shell("setsid sleep 4444 </dev/null >/dev/null 2>&1 & echo $!")
            node.addEnding("kill -9 \(stranger)")
            try shell(
                """
                sqlite3 \(node.registryPath) 'UPDATE container SET pid = \(stranger), start_time = 1, process_inode = NULL'
                chown \(PodNode.user):\(PodNode.user) \(node.registryPath)*
                """)
        },
        Case(code: "hidden-node") { node in
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
        },
        Case(code: "unreadable-cgroup", isProcHidden: false) { node in
            try endAndRegister(node)
            let cgroup = try #require(node.cgroups(of: "c1").first)
            try shell("chmod 0600 \(cgroup)/cgroup.procs")
        },
        Case(code: "unreadable-state") { node in
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            try shell("mkdir -m 0711 \(node.state(of: "c1")); : >\(node.state(of: "c1"))/state.json")
        },
    ]

    /// A container that is registered while it lives, and whose init dies then.
    private static func endAndRegister(_ node: PodNode) throws {
        let pid = try node.run("c1")
        try node.expectRegistration(of: "p1", ["c1"])
        try shell("kill -9 \(pid)")
        // A zombie keeps the pid, and whether it is one /proc may hide from the helper.
        #expect(soon { !FileManager.default.fileExists(atPath: "/proc/\(pid)") })
    }

    private static func withHiddenProc(_ isHidden: Bool, _ body: () throws -> Void) throws {
        if isHidden { try shell("mount -t proc -o hidepid=2 proc /proc") }
        defer { if isHidden { _ = try? shell("umount /proc") } }
        try body()
    }

    @Test(arguments: cases) func everyCodeHasAWayOut(_ unknown: Case) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try unknown.make(node)
            try Self.withHiddenProc(unknown.isProcHidden) {
                let whole = try node.leftovers(of: "p1", ["c1"])
                let removed = try node.podreap(["remove", "p1"])
                #expect(removed.status == 1 && removed.errors.contains("--assume-dead"), "\(removed)")
                #expect(try node.leftovers(of: "p1", ["c1"]) == whole)
                let report = try #require(try node.podreap(["history", "--json", "p1"]).lines().first)
                let causes = (report["steps"] as? [[String: Any]] ?? []).compactMap { $0["cause"] as? [String: Any] }
                #expect(causes.contains { $0["rule"] as? String == unknown.code }, "\(report)")
                let explained = try node.podreap(["explain", "p1"]).output
                #expect(explained.contains("sudo podreap remove p1 --assume-dead"), "\(explained)")
                // The user who cannot see them does not get to assume it.
                let asUser = try node.podreap(["remove", "p1", "--assume-dead"])
                #expect(asUser.status == 2 && asUser.errors.contains("needs root"), "\(asUser)")
                #expect(try node.leftovers(of: "p1", ["c1"]) == whole)
                let assumed = try node.podreap(["remove", "p1", "--assume-dead"], as: 0)
                #expect(assumed.status == 0, "\(assumed)")
                try node.expectGone("p1", ["c1"])
                #expect(try shell("find \(node.library) -user 0") == "")
                let last = try #require(try node.podreap(["history", "--json", "p1"]).lines().first)
                #expect(last["assumedDead"] as? Bool == true && last["outcome"] as? String == "removed", "\(last)")
                #expect(try node.podreap(["history", "p1"]).output.contains("assumed dead"))
            }
        }
    }

    /// Who has something of the pod, as a script that ends up in a process that does.
    struct Holder: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var script: @Sendable (PodNode) -> String
    }

    static let holders = [
        Holder(testDescription: "cwd") { "cd \($0.directory(of: "c1"))/upper; exec sleep 3333" },
        Holder(testDescription: "file") { "exec 9<\($0.directory(of: "c1"))/config.json; exec sleep 3333" },
        Holder(testDescription: "root") { "exec chroot \($0.directory(of: "c1"))/rootfs /bin/sleep 3333" },
        Holder(testDescription: "a name of another mount namespace") {
            "mkdir -p /mnt/held; exec unshare -m sh -c 'mount --bind \($0.directory(of: "c1")) /mnt/held; cd /mnt/held/upper; exec sleep 3333'"
        },
        Holder(testDescription: "a mount of another mount namespace") {
            "mkdir -p /mnt/held; exec unshare -m sh -c 'mount --bind \($0.directory(of: "c1"))/upper /mnt/held; exec sleep 3333'"
        },
        Holder(testDescription: "shm that is mounted elsewhere") {
            "mkdir -p /mnt/held; exec unshare -m sh -c 'mount --bind \($0.directory(ofSandbox: "p1"))/shm /mnt/held; exec sleep 3333'"
        },
        Holder(testDescription: "network namespace") { "exec nsenter --net=\($0.pin(ofSandbox: "p1")) sleep 3333" },
    ]

    @Test(arguments: holders) func nothingIsAssumedBesideWhoHasSomethingOfThePod(_ holder: Holder) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.pinNamespace(ofSandbox: "p1")
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            let program = try Programs.start("/bin/sh", "-c", holder.script(node))
            defer { _ = try? shell("rmdir /mnt/held") }
            let isThere = try soon {
                let words = try NodeProcess(program.pid).read("cmdline").split(separator: "\0")
                return words.last == "3333" && words.first?.hasSuffix("sleep") == true
            }
            #expect(isThere)
            try Self.withHiddenProc(true) {
                let whole = try node.leftovers(of: "p1", ["c1"])
                let assumed = try node.podreap(["remove", "p1", "--assume-dead"], as: 0)
                #expect(assumed.status == 1 && assumed.errors.names(program.pid), "\(assumed)")
                #expect(assumed.errors.contains("nothing was touched"), "\(assumed)")
                #expect(try node.leftovers(of: "p1", ["c1"]) == whole)
                #expect(NodeProcess(program.pid).isAlive, "nobody is signalled")
                program.kill(SIGKILL)
                #expect(try program.wait(seconds: 5) != nil)
                let free = try node.podreap(["remove", "p1", "--assume-dead"], as: 0)
                #expect(free.status == 0, "\(free)")
                try node.expectGone("p1", ["c1"])
            }
        }
    }

    /// What lives for sure is nobody's to assume dead, in root's own registry either.
    @Test func whatLivesIsNotAssumedDead() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            let pid = try node.run("c1")
            let own = ["PODREAP_REGISTRY=\(PodNode.rootLibrary)/registry.sqlite"]
            for (environment, user) in [([], PodNode.user), (own, 0)] {
                let document = try node.write(try node.document("p1", ["c1"]), as: "p1.json")
                let registered = try node.podreap(["register", document], environment: environment, as: user)
                #expect(registered.status == 0, "\(registered)")
                let whole = try node.leftovers(of: "p1", ["c1"])
                let assumed = try node.podreap(
                    ["remove", "p1", "--assume-dead"], environment: environment, as: 0)
                #expect(assumed.status == 1 && assumed.errors.names(pid), "\(assumed)")
                #expect(NodeProcess(pid).isAlive)
                #expect(try node.leftovers(of: "p1", ["c1"]) == whole)
            }
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    @Test func whatIsForPodreapItselfWritesNothingToItsOwnFiles() throws {
        try withReproNode { node in
            for command in [
                ["gc", "--hand-over"], ["explain", "--hand-over", "x"],
                ["remove", "--hand-over", "--assume-dead", "x"],
            ] {
                let result = try node.podreap(command)
                #expect(result.status == 2 && result.errors.contains("for podreap itself"), "\(result)")
            }
            #expect(try node.podreap(["ps"]).status == 0)
        }
    }
}
