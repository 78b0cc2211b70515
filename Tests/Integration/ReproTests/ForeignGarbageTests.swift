import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A node with much that is not pods': what `gc --remove` takes, as root, is what was pods' alone.
@Suite(.serialized) struct ForeignGarbageTests {
    private static let mindedID = String(repeating: "5a", count: 32)
    private static let movedID = String(repeating: "7c", count: 32)
    /// The state root of a runc that helper.conf does not list.
    private static let foreignRoot = "/mnt/foreign-runc"

    /// Everything beneath the node's roots, with what is mounted there; one line each.
    private func seen(_ node: PodNode) throws -> Set<String> {
        let sample = node.sample
        let text = try shell(
            """
            mkdir -p \(Self.foreignRoot)
            find \(sample.sandboxRoot) \(sample.containerRoot) \(sample.netnsRoot) -mindepth 1 -maxdepth 2
            find \(sample.cgroupRoots.joined(separator: " ")) -mindepth 1 -type d
            find \(sample.runtimeRoot) \(Self.foreignRoot) -mindepth 1 -maxdepth 1
            awk '$5 ~ "^(\(sample.base)|/mnt/bound|/mnt/copied)" { print "mount " $5 }' /proc/self/mountinfo
            """)
        return Set(text.split(separator: "\n").map(String.init))
    }

    private func collect(_ node: PodNode, as user: UInt32 = 0) throws -> [[String: any Sendable]] {
        let result = try node.podreap(["gc", "--remove", "--older-than", "0s", "--json"], as: user)
        #expect(result.status == 0 && result.errors == "", "\(result)")
        return try result.lines()
    }

    /// Things of others'. Each says what holds it; the script's process is the last word that it prints.
    private func makeForeign(_ node: PodNode) throws -> [Int32] {
        let directory = { node.directory(of: $0) }
        var pids: [Int32] = []
        func start(_ script: String) throws {
            let text = try shell("{ \(script); } </dev/null >/dev/null 2>&1 & echo $!")
            let pid = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            node.addEnding("kill -9 \(pid)")
            pids.append(pid)
        }
        for name in ["cwd", "file", "bound", "copied", "minded", Self.movedID] {
            try shell("mkdir -p \(directory(name))/data; echo precious >\(directory(name))/data/file")
        }
        try start("cd \(directory("cwd"))/data; exec sleep 3331")
        try start("exec 9<\(directory("file"))/data/file; exec sleep 3332")
        // Elsewhere in the node's own mount namespace, and in another one.
        try shell("mkdir -p /mnt/bound /mnt/copied; mount --bind \(directory("bound"))/data /mnt/bound")
        node.addEnding("umount /mnt/bound; rmdir /mnt/bound /mnt/copied")
        try start(
            "exec unshare -m sh -c 'mount --bind \(directory("copied"))/data /mnt/copied; cd /; exec sleep 3333'")
        // A conmon whose container has two directories and no process.
        try shell(
            """
            mv \(directory("minded")) \(directory(Self.mindedID)); mkdir -p \(node.directory(ofSandbox: Self.mindedID))/shm
            mount -t tmpfs -o size=1m shm \(node.directory(ofSandbox: Self.mindedID))/shm
            cp /usr/bin/python3 /mnt/conmon; echo 'import time; time.sleep(1000)' >/mnt/conmon.py
            """)
        node.addEnding("umount \(node.directory(ofSandbox: Self.mindedID))/shm; rm -f /mnt/conmon /mnt/conmon.py")
        try start("PYTHONHOME=/usr exec /mnt/conmon /mnt/conmon.py --cid \(Self.mindedID)")
        // A cgroup elsewhere that is called after a directory.
        let root = try #require(node.sample.cgroupRoots.first)
        let cgroup = "\(URL(filePath: root).deletingLastPathComponent().path())/libpod-\(Self.movedID).scope"
        try shell("mkdir -p \(cgroup)")
        node.addEnding("rmdir \(cgroup)")
        try start("echo $$ >/dev/null; exec sh -c 'echo $$ >\(cgroup)/cgroup.procs; exec sleep 3334'")
        // A container of a runc with a state root of its own, whose bundle lies among the pods'.
        try node.bundle("foreign")
        try shell(
            """
            mkdir -p \(Self.foreignRoot); cd \(directory("foreign"))
            runc --root \(Self.foreignRoot) run -d --bundle . --pid-file pid foreign </dev/null >/dev/null 2>&1
            """)
        node.addEnding("runc --root \(Self.foreignRoot) delete --force foreign; rm -rf \(Self.foreignRoot)")
        pids.append(try #require(Int32(try String(contentsOfFile: "\(directory("foreign"))/pid", encoding: .utf8))))
        // The administrator's namespaces: one in use with a pod's name, one with another.
        let (used, admin) = ("\(node.sample.netnsRoot)/sample-used", "\(node.sample.netnsRoot)/admin")
        try shell("for n in \(used) \(admin); do touch $n; unshare --net=$n true; done")
        node.addEnding("umount \(used) \(admin); rm -f \(used) \(admin)")
        try start("exec nsenter --net=\(used) sleep 3335")
        return pids
    }

    /// A pod that died and that nobody registered, and two containers of it, one of them ended with its init.
    private func makeGarbage(_ node: PodNode) throws {
        try node.sandbox("dead")
        try node.pinNamespace(ofSandbox: "dead")
        let pid = try node.run("gone")
        try shell("kill -9 \(pid)")
        #expect(soon { !FileManager.default.fileExists(atPath: "/proc/\(pid)") })
        try shell("mkdir -p \(node.directory(of: "orphan"))/upper")
    }

    @Test func onlyWhatWasPodsIsRemoved() throws {
        try withReproNode { node in
            try node.setPolicy(node.policy)
            let empty = try seen(node)
            let pids = try makeForeign(node)
            usleep(300_000)
            let foreign = try seen(node)
            try makeGarbage(node)
            let full = try seen(node)
            // Without root's eyes nothing that somebody could have open is touched.
            let asUser = try collect(node, as: PodNode.user)
            #expect(
                asUser.filter { $0["kind"] as? String == "directory" }.allSatisfy { $0["outcome"] as? String == "kept" }
            )
            let lines = try collect(node)
            let left = try seen(node)
            #expect(left == foreign, "gone: \(foreign.subtracting(left)); left: \(left.subtracting(foreign))")
            #expect(full.subtracting(left).count > 4 && left.count > empty.count)
            for pid in pids { #expect(NodeProcess(pid).isAlive, "\(pid)") }
            #expect(try shell("cat \(node.directory(of: "copied"))/data/file") == "precious\n")
            func reason(_ path: String) -> String? {
                lines.first { $0["path"] as? String == path }?["reason"] as? String
            }
            #expect(reason(node.directory(of: "cwd"))?.names(pids[0]) == true, "\(lines)")
            #expect(reason(node.directory(of: "file"))?.names(pids[1]) == true)
            #expect(reason(node.directory(of: "bound"))?.contains("mounted at /mnt/bound") == true)
            #expect(reason(node.directory(of: "copied"))?.names(pids[2]) == true)
            #expect(reason(node.directory(of: Self.mindedID))?.contains("conmon") == true)
            #expect(reason(node.directory(ofSandbox: Self.mindedID))?.contains("conmon") == true)
            #expect(reason(node.directory(of: Self.movedID))?.contains("cgroup") == true)
        }
    }

    /// runc calls it stopped, and would kill what lives of it: its init's first thread has ended.
    @Test(arguments: [false, true]) func aContainerThatIsCalledStoppedAndLivesIsKept(_ isDeep: Bool) throws {
        try withReproNode { node in
            try shell("cp \(try TestPrograms.leader.get()) \(node.sample.base)/image/bin/leader")
            let pid = try node.run("c1", PlainContainer(script: "exec /bin/leader"))
            #expect(soon { (try? NodeProcess(pid).status()["State"]?.hasPrefix("Z")) == true })
            if !isDeep { try node.setPolicy(node.policy) }
            let whole = try seen(node)
            let lines = try collect(node)
            let left = try seen(node)
            #expect(left == whole, "gone: \(whole.subtracting(left)): \(lines)")
            #expect(FileManager.default.fileExists(atPath: "/proc/\(pid)/task"))
        }
    }

    /// A look at all processes takes as long as there are some: it is not made again for each thing that goes.
    @Test func everyProcessIsLookedAtOnceForAll() throws {
        try withReproNode { node in
            try node.setPolicy(node.policy)
            // Also makes the registry, and the program that root starts.
            _ = try collect(node)
            func looks(_ count: Int) throws -> Int {
                try shell("for n in $(seq \(count)); do mkdir \(node.directory(of: "orphan"))$n; done")
                let log = "/mnt/opened"
                defer { try? FileManager.default.removeItem(atPath: log) }
                try shell(
                    """
                    strace -f -qq -e trace=openat,open,readlink,readlinkat -e signal=none -o \(log) \
                    env PODREAP_REGISTRY=\(node.registryPath) PODREAP_HELPER=\(TestNode.helper) \
                    /mnt/podreap gc --remove --older-than 0s >/dev/null
                    """)
                for n in 1...count {
                    #expect(!FileManager.default.fileExists(atPath: node.directory(of: "orphan\(n)")))
                }
                return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                    .count { $0.contains("\"/proc/1/") }
            }
            let one = try looks(1)
            #expect(one > 0)
            #expect(try looks(8) == one)
        }
    }

    /// A podman with everything that it has where helper.conf lets podreap remove things: containers that run and that have
    /// ended, their storage, their states and cgroups.
    @Test(
        .enabled(if: !Cgroups.wantsVersion2Alone, "podman run exits with 127 where cgroup version 2 is alone"))
    func whatPodmanHasIsKept() throws {
        try withReproNode { node in
            let peers = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Support/Peers")
                .standardized.path()
            let (place, states) = ("/mnt/podman-peer", "/run/runc")
            func podman(_ command: String) throws -> String {
                try shell(
                    "unshare --net -- \(peers)/podman \(place) \(command) </dev/null 2>>\(place)/log", seconds: 120)
            }
            try shell(
                """
                mkdir -p \(place)/images \(states); mount -t tmpfs -o mode=0700 podman \(states)
                mount -t tmpfs -o mode=1777 podman /dev/shm
                \(peers)/images.py \(place)/images
                """)
            let monitors = node.sample.cgroupRoots.map { "\($0)/conmon" }.joined(separator: " ")
            node.addEnding(
                """
                \(peers)/podman \(place) rm --all --force --time 0 >/dev/null 2>&1 || true
                awk -v p=\(place)/ 'index($5, p) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r -n 1 umount -l
                umount -l \(states) /dev/shm; rm -rf \(place)
                for _ in $(seq 100); do
                    rmdir \(monitors) 2>/dev/null || true
                    [ -n "$(ls -d \(monitors) 2>/dev/null)" ] || break
                    sleep 0.05
                done
                """)
            let run = "--network none --cgroup-parent \(SampleNode.cgroup) localhost/busybox:1"
            let living = try podman("run -d --name living \(run) sleep 100000")
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let ended = try podman("run -d --name ended \(run) sh -c :").trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try soon { try podman("inspect --format {{.State.Status}} ended") == "exited\n" })
            let pid = try #require(
                Int32(
                    try podman("inspect --format {{.State.Pid}} living").trimmingCharacters(in: .whitespacesAndNewlines)
                ))
            let storage = ["root/overlay-containers", "root/overlay", "runroot/overlay-containers"]
                .map { "container-root = \(place)/\($0)\n" }.joined()
            try node.setPolicy(node.deepPolicy + storage + "runtime = podmans /usr/sbin/runc \(states)\n")
            func seen() throws -> String {
                try shell(
                    """
                    find \(place)/root \(place)/runroot \(states) -mindepth 1 -maxdepth 3 | sort
                    find \(node.sample.cgroupRoots.joined(separator: " ")) -mindepth 1 -type d | sort
                    """)
            }
            let before = try seen()
            let lines = try collect(node)
            #expect(try seen() == before)
            #expect(lines.contains { ($0["path"] as? String)?.contains(living) == true }, "\(lines)")
            #expect(lines.contains { ($0["path"] as? String)?.contains(ended) == true }, "\(lines)")
            #expect(lines.allSatisfy { $0["outcome"] as? String == "kept" }, "\(lines)")
            #expect(NodeProcess(pid).isAlive)
            #expect(try podman("exec living sh -c 'echo here'") == "here\n")
            #expect(try podman("start --attach ended") == "")
        }
    }

    /// podman keeps its containers, and their layers, where CRI-O does.
    @Test func whatIsContainersStoragesIsKept() throws {
        try withReproNode { node in
            let storage = "\(node.sample.base)/storage"
            let id = Self.movedID
            try shell(
                """
                mkdir -p \(storage)/overlay-containers/\(id)/userdata \(storage)/overlay/\(id)/diff \(storage)/overlay/l
                echo '[]' >\(storage)/overlay-containers/containers.json
                """)
            try node.setPolicy(
                node.deepPolicy
                    + "container-root = \(storage)/overlay-containers\ncontainer-root = \(storage)/overlay\n")
            let lines = try collect(node)
            #expect(lines.filter { ($0["path"] as? String)?.contains(id) == true }.count == 2, "\(lines)")
            #expect(FileManager.default.fileExists(atPath: "\(storage)/overlay-containers/\(id)/userdata"))
            #expect(FileManager.default.fileExists(atPath: "\(storage)/overlay/\(id)/diff"))
        }
    }
}
