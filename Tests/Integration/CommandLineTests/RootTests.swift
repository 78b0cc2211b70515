import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// The program, started by root, on a registry whose directory belongs to a user under an attacker's control.
@Suite(.serialized) struct RootTests {
    /// Files and directories of root's that nothing here may change.
    private static let victims = "/mnt/victims"

    /// Everything beneath: type, inode, mode, owner, length, times, and the contents.
    private static func victimsNow() throws -> String {
        try shell(
            """
            cd \(victims) && find . -printf '%p %y %i %n %m %U:%G %s %T@ %C@\\n' | LC_ALL=C sort
            find . -type f -exec sha256sum {} + | LC_ALL=C sort
            """)
    }

    /// A node whose registry has a pod without processes; the id of its sandbox.
    private func withVictims(_ body: (PodNode, String) throws -> Void) throws {
        try withPodNode { node in
            try shell(
                """
                rm -rf \(Self.victims) && mkdir -p \(Self.victims)/directory
                """)
            defer { _ = try? shell("rm -rf \(Self.victims)") }
            let pod = try node.pod()
            let file = try node.write(pod.registration, as: "pod.json")
            #expect(try node.podreap(["register", file]).status == 0)
            // Files with names that podreap's user can choose, and such as the system has.
            try shell(
                """
                cd \(Self.victims) && echo secret >shadow && chmod 0600 shadow && : >empty
                for name in \(pod.id) lock registry.sqlite; do echo "$name" >"directory/$name"; done
                cp \(node.registryPath) database && chmod 0600 database
                """)
            try body(node, pod.id)
        }
    }

    private static let commands: [[String]] = [
        ["ps"], ["inspect", "ID"], ["plan", "ID"], ["explain", "ID"], ["history"], ["gc"], ["gc", "--remove"],
        ["doctor"],
        ["register", "FILE"], ["stop", "ID"], ["remove", "ID"], ["remove", "unknown"], ["remove", "--all"],
    ]

    /// What podreap's user leaves there, as a script in the registry's directory.
    private static let traps = [
        "rm -rf registry.sqlite.locks && ln -s \(victims)/directory registry.sqlite.locks",
        "rm -f registry.sqlite-lock registry.sqlite.lock; for n in lock -lock .lock; do ln -sf \(victims)/directory/lock registry.sqlite$n; done",
        "mv registry.sqlite old && ln -s \(victims)/made registry.sqlite",
        "mv registry.sqlite old && ln -s \(victims)/empty registry.sqlite",
        "mv registry.sqlite old && ln -s \(victims)/database registry.sqlite",
        "rm -f registry.sqlite-wal && ln -s \(victims)/shadow registry.sqlite-wal",
        "rm -f registry.sqlite-wal && ln -s \(victims)/made registry.sqlite-wal",
        "rm -f registry.sqlite-shm && ln -s \(victims)/shadow registry.sqlite-shm",
        "rm -f registry.sqlite-shm && ln -s \(victims)/made registry.sqlite-shm",
        "rm -f registry.sqlite-journal && ln -s \(victims)/shadow registry.sqlite-journal",
    ]

    /// Whatever the command answers: nothing of root's is made, changed, given away or deleted.
    @Test(arguments: traps) func rootFollowsNoLink(_ trap: String) throws {
        try withVictims { node, id in
            let before = try Self.victimsNow()
            try shell("cp -a \(node.library) /mnt/library-before")
            defer { _ = try? shell("rm -rf /mnt/library-before") }
            for command in Self.commands {
                let user = "setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups"
                try shell("\(user) sh -euc 'cd \(node.library); \(trap)'")
                let words = command.map { $0 == "ID" ? id : $0 == "FILE" ? "\(node.library)/pod.json" : $0 }
                let result = try node.podreap(words, as: 0)
                #expect(try Self.victimsNow() == before, "\(command) \(result)")
                #expect(try shell("find \(node.library) -user 0") == "", "\(command) \(result)")
                try shell("rm -rf \(node.library) && cp -a /mnt/library-before \(node.library)")
            }
        }
    }

    /// The same while links come and go.
    @Test(arguments: [
        "registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm", "registry.sqlite-lock",
        "registry.sqlite.locks",
    ])
    func rootLosesNoRace(_ name: String) throws {
        try withVictims { node, id in
            let before = try Self.victimsNow()
            let target = name.hasSuffix("locks") ? "directory" : name.hasSuffix("sqlite") ? "database" : "shadow"
            let script = """
                import os, sys
                link, place, target = sys.argv[1] + ".link", sys.argv[1], sys.argv[2]
                while True:
                    try:
                        if os.path.lexists(place): os.rename(place, place + ".kept")
                        os.symlink(target, place)
                        os.unlink(place)
                        if os.path.lexists(place + ".kept"): os.rename(place + ".kept", place)
                    except OSError: pass
                """
            try node.write(script, as: "swap.py")
            var start = ProgramStart(
                "/usr/bin/python3", ["\(node.library)/swap.py", "\(node.library)/\(name)", "\(Self.victims)/\(target)"])
            (start.user, start.group, start.input) = (PodNode.user, PodNode.user, 0)
            let attacker = try Program(start)
            for _ in 0..<10 {
                for command in [["ps"], ["stop", id], ["explain", id]] {
                    let result = try node.podreap(command, as: 0)
                    #expect(try Self.victimsNow() == before, "\(command) \(result)")
                }
            }
            attacker.kill()
            #expect(try attacker.wait(seconds: 5) == .signalled(9))
            #expect(try shell("find \(node.library) -user 0") == "")
        }
    }

    /// On a fresh node nothing that root makes locks the user out.
    @Test(arguments: [["remove", "x"], ["ps"], ["gc"], ["explain", "x"], ["doctor"], ["history"]])
    func rootMakesTheRegistryItsOwners(_ command: [String]) throws {
        try withPodNode { node in
            let asRoot = try node.podreap(command, as: 0)
            #expect(try shell("find \(node.library) -user 0") == "", "\(asRoot)")
            let pod = try node.pod()
            let file = try node.write(pod.registration, as: "pod.json")
            #expect(try node.podreap(["register", file]).status == 0)
            #expect(try node.podreap(["remove", pod.id]).status == 0)
            #expect(pod.leftovers() == [])
        }
    }

    /// All that root does with the user's registry works, from a document that root alone may read to what root alone sees.
    @Test func rootWorksAsTheOwner() throws {
        try withPodNode { node in
            let pod = try node.pod()
            try shell("umask 077 && mkdir -p /mnt/secret")
            defer { _ = try? shell("rm -rf /mnt/secret") }
            try Data(pod.registration.utf8).write(to: URL(filePath: "/mnt/secret/pod.json"))
            let registered = try node.podreap(["register", "/mnt/secret/pod.json"], as: 0)
            #expect(registered.status == 0 && registered.output == "\(pod.id)\n", "\(registered)")
            for command in [["ps"], ["plan", pod.id], ["inspect", pod.id]] {
                let (asRoot, asUser) = (try node.podreap(command, as: 0), try node.podreap(command))
                #expect(asRoot.status == 0 && asRoot.output == asUser.output, "\(asRoot)")
            }
            // The records are the owner's, and the eyes are root's.
            let (asRoot, asUser) = (
                try node.podreap(["explain", pod.id, "--json"], as: 0), try node.podreap(["explain", pod.id, "--json"])
            )
            #expect(asUser.output.contains("which only root sees"), "\(asUser)")
            #expect(asRoot.output.contains("\"sandbox\":\"\(pod.id)\""), "\(asRoot)")
            #expect(!asRoot.output.contains("which only root sees"), "\(asRoot)")
            #expect(try node.podreap(["explain", "none"], as: 0).status == 2)
            // What is registered is no garbage, for root either.
            let garbage = try node.podreap(["gc", "--remove", "--older-than", "0s"], as: 0)
            #expect(garbage.status == 0 && garbage.output == "", "\(garbage)")
            let removed = try node.podreap(["remove", pod.id], as: 0)
            #expect(removed.status == 0, "\(removed)")
            #expect(pod.leftovers() == [])
            let gone = try node.podreap(["explain", pod.id], as: 0)
            #expect(gone.status == 0 && gone.output.contains("was removed"), "\(gone)")
            #expect(try shell("find \(node.library) -user 0") == "")
        }
    }

    /// What only root sees decides: without it, gc keeps a namespace of which it does not know whether it is used.
    @Test func rootSeesUnusedNamespaces() throws {
        try withPodNode { node in
            let pod = try node.pod()
            let file = try node.write(pod.registration, as: "pod.json")
            #expect(try node.podreap(["register", file]).status == 0)
            try expectUnusedNamespaceIsFound(node)
        }
    }

    /// What ends leaves its namespaces before it is gone: here an init that waits for a process that somebody traces.
    @Test func rootSeesWhoHasLeftItsNamespaces() throws {
        try withPodNode { node in
            let script = """
                import ctypes, os, signal, subprocess, sys, time
                def child(pid):
                    while True:
                        found = open(f"/proc/{pid}/task/{pid}/children").read().split()
                        if found: return int(found[0])
                def state(pid): return open(f"/proc/{pid}/stat").read().rsplit(")")[-1].split()[0]
                def has_left(pid):
                    try: os.readlink(f"/proc/{pid}/ns/net")
                    except FileNotFoundError: return True
                shell = "sleep 8888 & exec sleep 8889"
                init = child(subprocess.Popen(["unshare", "--pid", "--fork", "sh", "-c", shell]).pid)
                last = child(init)
                trace = ctypes.CDLL(None).ptrace
                trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
                if trace(0x4206, last, None, None) != 0: sys.exit("PTRACE_SEIZE fails")
                os.kill(init, signal.SIGKILL)
                while state(last) != "Z" or not has_left(init): time.sleep(0.01)
                print(init, flush=True)
                sys.stdin.read()
                """
            var start = ProgramStart("/usr/bin/env", ["python3", "-c", script])
            start.output = .read
            let tracer = try Program(start)
            let pid = try #require(Int32(try tracer.readLine().dropLast()))
            #expect(try NodeProcess(pid).status()["State"]?.hasPrefix("Z") == false)
            #expect(throws: (any Error).self) { try shell("readlink /proc/\(pid)/ns/net") }
            try expectUnusedNamespaceIsFound(node)
            tracer.kill()
            _ = try tracer.wait(seconds: 5)
        }
    }

    private func expectUnusedNamespaceIsFound(_ node: PodNode) throws {
        let lost = "\(node.sample.netnsRoot)/sample-lost"
        try shell("touch \(lost) && unshare --net=\(lost) true")
        defer { _ = try? shell("umount \(lost); rm \(lost)") }
        let found = try node.podreap(["gc", "--older-than", "0s", "--json"], as: 0)
        #expect(
            found.output.split(separator: "\n").contains { $0.contains(lost) && $0.contains("removable") }, "\(found)")
    }

    /// What leads root elsewhere is refused: nothing of another's is executed or believed.
    @Test func rootBelievesNobodysPlaces() throws {
        try withPodNode { node in
            let user = "install -d -o \(PodNode.user) -g \(PodNode.user)"
            try shell(
                "\(user) /mnt/his && mkdir -p /mnt/his/roots /mnt/open && chmod 0777 /mnt/open && ln -s /mnt/his/roots /mnt/his/link"
            )
            defer { _ = try? shell("rm -rf /mnt/his /mnt/open") }
            for registry in ["/mnt/his/roots/r", "/mnt/his/link/r", "/mnt/open/r"] {
                let result = try node.podreap(["ps"], environment: ["PODREAP_REGISTRY=\(registry)"], as: 0)
                #expect(result.status == 3 && result.errors.contains("root does not open the registry"), "\(result)")
            }
            #expect(try shell("find /mnt/his /mnt/open -type f") == "")
            let rootsOwn = "PODREAP_REGISTRY=\(PodNode.rootLibrary)/registry.sqlite"
            let helper = try node.write("#!/bin/sh\ntouch /mnt/his/executed\n", as: "helper", mode: 0o755)
            for command in [["remove", "x"], ["gc"], ["doctor"]] {
                let result = try node.podreap(command, environment: [rootsOwn, "PODREAP_HELPER=\(helper)"], as: 0)
                #expect(result.status == 2 && result.errors.contains("root does not start the helper"), "\(result)")
            }
            let asRoot = try node.podreap(["gc"], environment: ["PODREAP_HELPER=\(helper)"], as: 0)
            #expect(asRoot.status == 2, "\(asRoot)")
            #expect(!FileManager.default.fileExists(atPath: "/mnt/his/executed"))
            let settings = try node.write("registry = \"/mnt/his/r\"\n", as: "podreap.toml")
            let told = try node.podreap(["ps"], environment: ["PODREAP_SETTINGS=\(settings)"], as: 0)
            #expect(told.status == 2 && told.errors.contains("root does not read the settings"), "\(told)")
            // Root in its own directory is nobody else.
            let own = try node.podreap(["ps"], environment: [rootsOwn], as: 0)
            #expect(own.status == 0, "\(own)")
            #expect(try shell("find \(PodNode.rootLibrary) ! -user 0") == "")
        }
    }

    @Test func rootsPolicyIsForRootAlone() throws {
        try withPodNode { node in
            let result = try node.podreap(["remove", "x", "--policy", "/etc/podreap/helper.conf"], as: 0)
            #expect(result.status == 2 && result.errors.contains("--policy is root's"), "\(result)")
        }
    }

    /// A terminal, a pipe or a file of root's stays with this process: the user's others cannot take it over.
    @Test func theOwnersOtherProcessesGetNoHoldOfIt() throws {
        try withPodNode { node in
            try shell("mkfifo -m 0600 /mnt/document")
            defer { _ = try? shell("rm -f /mnt/document") }
            var start = ProgramStart("/bin/sh", ["-c", "exec 3<>/mnt/document; exec sleep 60"])
            start.input = 0
            let writer = try Program(start)
            // It waits for its document.
            let waiting = try node.start(["register", "-"], input: "/mnt/document", as: 0)
            let tasks = "/proc/\(waiting.program.pid)/task"
            let read = "for t in \(tasks)/*; do grep -E '^(Uid|Gid|CapPrm|Groups):' $t/status; done | sort -u"
            let ids = try shell(
                """
                for i in $(seq 100); do
                    if \(read) | grep -q '^Uid.*61234.61234.61234.61234' && [ "$(\(read) | wc -l)" = 4 ]; then break; fi
                    sleep 0.05
                done
                \(read)
                """)
            let number = "\t\(PodNode.user)"
            let four = String(repeating: number, count: 4)
            #expect(
                ids == "CapPrm:\t0000000000000000\nGid:\(four)\nGroups:\(number) \nUid:\(four)\n", "\(ids)")
            let user = "setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups"
            let held = try shell("\(user) sh -c 'readlink /proc/\(waiting.program.pid)/fd/0' 2>&1 || true")
            #expect(!held.contains("/mnt/document"), "\(held)")
            for program in [waiting.program, writer] {
                program.kill()
                _ = try program.wait(seconds: 5)
            }
        }
    }
}
