import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What others make under an id, a path or an inode that was the pod's.
@Suite(.serialized) struct NamesakeTests {
    /// The pod was registered before its container's start, and somebody runs another one under that id from files of his own.
    @Test func aContainerFromAnotherBundleIsAnothers() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.bundle("c1")
            #expect(try node.register("p1", ["c1"]).status == 0)
            var another = PlainContainer()
            another.cgroup = "c1"
            try node.bundle("other-c1", another)
            let pid = try node.run(bundle: "other-c1", as: "c1")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(NodeProcess(pid).isAlive, "its process lives on")
            #expect(FileManager.default.fileExists(atPath: "\(node.sample.runtimeRoot)/c1"))
            #expect(try node.leftovers(of: "p1", []) == [])
            #expect(!FileManager.default.fileExists(atPath: node.directory(of: "c1")))
        }
    }

    /// The same, and the other container's state is damaged, so that it does not say any more which files it has.
    @Test func aDamagedStateOfAnotherContainerIsAnothers() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            var another = PlainContainer()
            another.cgroup = "c1"
            try node.bundle("other-c1", another)
            let pid = try node.run(bundle: "other-c1", as: "c1")
            try shell(": >\(node.state(of: "c1"))/state.json")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 1 && removed.errors.names(pid), "\(removed)")
            #expect(NodeProcess(pid).isAlive, "its process lives on")
            #expect(FileManager.default.fileExists(atPath: node.state(of: "c1")))
            try shell("kill -9 \(pid)")
            #expect(soon { !NodeProcess(pid).isAlive })
        }
    }

    /// Deleted and run again from its own bundle: it is the recorded one, with cgroups that were made anew.
    @Test func aContainerThatWasMadeAnewIsTheRecordedOne() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer(script: "(trap '' TERM; exec sleep 50000) & exec sleep 50001")
            container.namespaces = ["mount", "ipc", "uts"]
            container.isOverlay = false
            try node.run("c1", container)
            try node.expectRegistration(of: "p1", ["c1"])
            try shell("runc --root \(node.sample.runtimeRoot) delete --force c1")
            try node.start(bundle: "c1")
            let child = try node.process(of: "c1", with: "50000")
            try node.expectRemoval(of: "p1", ["c1"])
            #expect(!NodeProcess(child).isAlive)
        }
    }

    /// The container's directory was moved, and another is in its place: its processes have the recorded one still.
    @Test(arguments: [true, false]) func aContainerWhoseDirectoryWasMovedIsTheRecordedOne(_ isOverlay: Bool) throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer()
            container.isOverlay = isOverlay
            try node.bundle("c1", container)
            try node.expectRegistration(of: "p1", ["c1"])
            let pid = try node.start(bundle: "c1")
            let directory = node.directory(of: "c1")
            try shell("mv \(directory) \(directory)-away; mkdir \(directory); echo mine >\(directory)/data")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(!NodeProcess(pid).isAlive, "its process has ended")
            #expect(!FileManager.default.fileExists(atPath: node.state(of: "c1")))
            #expect(try shell("cat \(directory)/data") == "mine\n")
        }
    }

    /// The container's directory is covered by a mount: its state is its own all the same.
    @Test func aContainerWhoseDirectoryIsCoveredIsTheRecordedOne() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.bundle("c1")
            try node.expectRegistration(of: "p1", ["c1"])
            try node.start(bundle: "c1")
            try shell("mount --bind \(node.sample.volume) \(node.directory(of: "c1"))")
            try node.expectRemoval(of: "p1", ["c1"])
        }
    }

    /// The same, but the container is the registered one: its root lies in the recorded directory, though its bundle does not.
    @Test func aContainerWithTheRecordedRootIsTheRecordedOne() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            try node.bundle("c1")
            #expect(try node.register("p1", ["c1"]).status == 0)
            let bundle = "\(node.sample.base)/volume/bundle"
            let pid = try #require(
                Int32(
                    try shell(
                        """
                        mkdir \(bundle); cd \(bundle)
                        sed 's:"rootfs":"\(node.directory(of: "c1"))/rootfs":' \(node.directory(of: "c1"))/config.json >config.json
                        runc --root \(node.sample.runtimeRoot) run -d --bundle . --pid-file pid c1 </dev/null >/dev/null 2>log || cat log
                        cat pid
                        """)))
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(!NodeProcess(pid).isAlive, "its process has ended")
            try node.expectGone("p1", ["c1"])
        }
    }

    /// The container has ended, and somebody has made a cgroup at its place: the runtime goes by the path, and would end
    /// what lives there.
    @Test func whoHasTheCgroupByNowLivesOn() throws {
        try withReproNode { node in
            try node.sandbox("p1")
            var container = PlainContainer()
            container.namespaces = ["mount", "ipc", "uts"]
            let pid = try node.run("c1", container)
            try node.expectRegistration(of: "p1", ["c1"])
            kill(pid, SIGKILL)
            #expect(soon { !NodeProcess(pid).isAlive })
            let cgroups = node.cgroups(of: "c1")
            let other = try Programs.start("/bin/sleep", "4444")
            let places = cgroups.joined(separator: " ")
            // A process cannot enter a new cpuset at once.
            try shell(
                "rmdir \(places); for g in \(places); do mkdir $g; echo \(other.pid) >$g/cgroup.procs || true; done 2>/dev/null"
            )
            defer { _ = try? shell("kill \(other.pid); sleep 0.1; rmdir \(places)") }
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(try other.wait(seconds: 0) == nil, "it lives on")
            for cgroup in cgroups { #expect(FileManager.default.fileExists(atPath: cgroup)) }
            #expect(!FileManager.default.fileExists(atPath: node.state(of: "c1")))
            #expect(!FileManager.default.fileExists(atPath: node.directory(of: "c1")))
        }
    }

    /// ext4 gives a removed directory's inode to the next one; only the birth tells the two apart, also beneath a mount.
    @Test func aMountOverADirectoryWithTheOldInodeStays() async throws {
        try await withPodNode(base: "/mnt/ext4/pods") { node in
            try node.sandbox("p1")
            #expect(try node.register("p1", []).status == 0)
            let directory = node.directory(ofSandbox: "p1")
            let before = try shell("stat -c %i \(directory)")
            let after = try shell(
                """
                mkdir -p /mnt/ext4/pods/aside; umount \(directory)/shm; rm -r \(directory)
                # Whatever inode comes first stays in use until the old one comes.
                for n in $(seq 200); do
                    mkdir \(directory); [ $(stat -c %i \(directory)) = \(before.dropLast()) ] && break
                    mv \(directory) /mnt/ext4/pods/aside/$n
                done
                stat -c %i \(directory)
                echo mine >\(node.sample.volume)/data; mount --bind \(node.sample.volume) \(directory)
                """)
            #expect(before == after, "the sample of the kind: the same inode")
            let removed = try node.podreap(["remove", "p1"])
            #expect(removed.status == 0, "\(removed)")
            #expect(
                try shell("cat \(directory)/data; umount \(directory); ls -d \(directory)") == "mine\n\(directory)\n")
        }
    }
}

extension PodNode {
    /// Has runc run a bundle under another id than its directory's; the pid of its init.
    fileprivate func run(bundle: String, as id: String) throws -> Int32 {
        let pid = try shell(
            """
            cd \(directory(of: bundle))
            runc --root \(sample.runtimeRoot) run -d --bundle . --pid-file pid \(id) </dev/null >/dev/null 2>log
            cat pid
            """)
        return try #require(Int32(pid))
    }
}
