import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// No removal crosses a mount, of whatever kind and however it looks.
    @Suite struct MountsBeneath {
        private static let canary = "/mnt/canary/beneath"

        /// The mount is at `a/m` (or what the script says) in the directory, and stays with all that is in it.
        @Test(arguments: [
            "mkdir -p a/m; mount -t tmpfs t a/m; touch a/m/kept", "mkdir -p a/m; mount --bind \(canary) a/m",
            // The same filesystem: st_dev does not show it.
            "mkdir -p a/m b; touch b/kept; mount --bind b a/m", "mkdir -p a/m; mount --bind . a/m",
            "mkdir a; touch a/m; mount --bind \(canary)/kept a/m", "mkdir -p a/m; mount -t proc p a/m",
            "mkdir -p a/m; mount -t tmpfs t a/m; mount -t tmpfs t2 a/m; touch a/m/kept",
            "mkdir -p a/m; mount -t tmpfs -o ro t a/m",
        ])
        func isRefused(_ script: String) throws {
            try TestNode.shared()
            let path = "\(TestNode.sandboxes)/beneath"
            try shell(
                "mkdir -p \(Self.canary); echo precious >\(Self.canary)/kept; mkdir \(path); cd \(path); touch z; \(script)"
            )
            defer { clear(path) }
            let helper = try TestHelper()
            let count = try mounts(beneath: path).count
            let answer = try helper.ask(.remove(.at(0, "beneath")))
            #expect(answer.outcome == .refused(.mountBeneath, detail: Array("a/m".utf8)), "\(answer.reply)")
            #expect(try mounts(beneath: path).count == count)
            #expect(!Entry.exists("\(path)/z"), "the rest is removed")
            #expect(try shell("cat \(Self.canary)/kept") == "precious\n")
            if !script.contains("proc"), !script.contains("ro "), !script.contains("bind") {
                #expect(Entry.exists("\(path)/a/m/kept"))
            }
            // Unmounted, the rest goes.
            for _ in 0..<count { _ = try helper.ask(.unmount(.at(0, "beneath", "a", "m"), .act(only: nil))) }
            #expect(try helper.ask(.remove(.at(0, "beneath"))).outcome == .done)
            #expect(try shell("cat \(Self.canary)/kept") == "precious\n")
        }

        @Test func placeIsAMount() throws {
            try TestNode.shared()
            let path = "\(TestNode.sandboxes)/mounted"
            try shell("mkdir \(path); mount -t tmpfs t \(path); touch \(path)/kept")
            defer { clear(path) }
            let helper = try TestHelper()
            for request in try [Request.remove(.at(0, "mounted")), .lookAt(.at(0, "mounted"))] {
                let answer = try helper.ask(request)
                guard case .refused(let rule, _) = answer.outcome, rule == .mountBeneath || rule == .leavesRoot else {
                    throw ProgramFailure(description: "\(answer.reply)")
                }
            }
            #expect(Entry.exists("\(path)/kept"))
        }

        /// A running container's root filesystem: neither it nor what lies in it can be said or reached.
        @Test func liveOverlay() throws {
            try TestNode.shared()
            let path = "\(TestNode.containers)/live"
            try shell(
                """
                mkdir -p \(path)/rootfs \(path)/lower/etc/x \(path)/upper \(path)/work; cd \(path); echo kept >lower/etc/passwd
                mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work o rootfs
                """)
            defer { clear(path) }
            let helper = try TestHelper()
            #expect(
                try helper.ask(.remove(.at(1, "live", "rootfs", "etc"))).outcome == .refused(.wrongDepth, detail: []))
            #expect(try helper.ask(.remove(.at(1, "live", "rootfs"))).outcome == .refused(.mountBeneath, detail: []))
            #expect(
                try helper.ask(.lookAt(.at(1, "live", "rootfs", "etc"))).outcome == .refused(.leavesRoot, detail: []))
            #expect(
                try helper.ask(.unmount(.at(1, "live", "rootfs", "etc"), .act(only: nil))).outcome
                    == .refused(.leavesRoot, detail: []))
            let policy = "caller = 61234\ncontainer-root = \(TestNode.containers) depth 1-5\n"
            let permissive = try TestHelper(policy: policy)
            #expect(
                try permissive.ask(.remove(.at(0, "live", "rootfs", "etc"))).outcome
                    == .refused(.leavesRoot, detail: []))
            #expect(
                try permissive.ask(.remove(.at(0, "live", "rootfs", "etc", "x"))).outcome
                    == .refused(.leavesRoot, detail: []))
            #expect(try shell("cat \(path)/rootfs/etc/passwd") == "kept\n")
        }

        /// Roots are resolved anew: what is mounted over a root later hides what was there, and is what is acted on.
        @Test func rootMountedOverAfterTheStart() throws {
            let helper = try TestHelper()
            let root = TestNode.sandboxes
            try shell("mkdir -p \(root)/over/below; mount -t tmpfs t \(root); mkdir -p \(root)/over/above")
            let answer = try helper.ask(.remove(.at(0, "over")))
            try shell("umount \(root)")
            #expect(answer.facts == .count(2))
            #expect(Entry.exists("\(root)/over/below"), "what was hidden is untouched")
            clear("\(root)/over")
        }

        /// Beneath a cgroup root nothing but directories goes; the kernel's files are not touched.
        @Test func cgroups() throws {
            let node = try TestNode.shared()
            let index = try #require(node.hierarchies.firstIndex { $0.hasSuffix("/freezer") })
            let path = "\(node.hierarchies[index])/\(TestNode.cgroup)/left"
            try shell("mkdir -p \(path)/a/b \(path)/c")
            let helper = try TestHelper()
            let place = try Place.at(TestNode.Root.cgroups + UInt8(index), "left")
            // One with a process in it stays.
            var start = ProgramStart("/bin/sh", ["-c", "echo $$ >\(path)/c/cgroup.procs; echo ready; exec sleep 60"])
            start.input = 0
            start.output = .read
            let member = try Program(start)
            #expect(try member.readLine() == "ready\n")
            let busy = try helper.ask(.remove(place))
            #expect(busy.outcome == .failed(Failure(errno: 16, call: .rmdir, detail: Array("c".utf8))), "\(busy.reply)")
            #expect(busy.facts == .count(2))
            member.kill()
            _ = try member.wait(seconds: 2)
            #expect(try helper.ask(.remove(place)).outcome == .done)
            #expect(!Entry.exists(path))
        }
    }
}
