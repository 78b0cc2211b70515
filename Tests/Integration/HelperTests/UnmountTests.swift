import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    @Suite struct Unmount {
        private static let root = TestNode.sandboxes

        /// A directory beneath the sandbox root, gone afterwards with all mounts in it.
        private func with(_ name: String, _ script: String, _ body: (TestHelper) throws -> Void) throws {
            try TestNode.shared()
            let path = "\(Self.root)/\(name)"
            defer { clear(path) }
            try shell("mkdir \(path); cd \(path); \(script)")
            try body(TestHelper())
        }

        private func act(_ names: String..., only: MountIdentity? = nil) throws -> Request {
            .unmount(try Place(root: 0, components: names.map { Array($0.utf8) }), .act(only: only))
        }

        @Test func stacked() throws {
            try with("stacked", "mkdir m") { helper throws in
                let below = try #require(Entry.at("\(Self.root)/stacked/m"))
                try shell("cd \(Self.root)/stacked; for n in 1 2 3; do mount -t tmpfs t$n m; touch m/$n; done")
                let look = try helper.ask(.unmount(.at(0, "stacked", "m"), .look))
                guard case (.done, .mountPoint(let top, let covered)) = (look.outcome, look.facts) else {
                    throw ProgramFailure(description: "\(look.reply)")
                }
                #expect(try mounts(beneath: "\(Self.root)/stacked/m").count == 3, "a look changes nothing")
                #expect(
                    covered == NodeIdentity(device: below.device, inode: below.inode, birth: below.birth))
                // With the identity, the topmost alone; then that identity is gone.
                #expect(try helper.ask(act("stacked", "m", only: top)).facts == .count(1))
                #expect(Entry.exists("\(Self.root)/stacked/m/2") && !Entry.exists("\(Self.root)/stacked/m/3"))
                #expect(
                    try helper.ask(act("stacked", "m", only: top)).outcome == .refused(.identityMismatch, detail: []))
                let rest = try helper.ask(act("stacked", "m"))
                #expect(rest.outcome == .done && rest.facts == .count(2))
                #expect(try mounts(beneath: "\(Self.root)/stacked/m") == [])
                #expect(try helper.ask(act("stacked", "m")).outcome == .alreadyDone)
                #expect(try helper.ask(.unmount(.at(0, "stacked", "m"), .look)).outcome == .alreadyDone)
            }
        }

        @Test func moreThanOneRequestDetaches() throws {
            try with("many", "mkdir m; i=0; while [ $i -lt 70 ]; do mount -t tmpfs t m; i=$((i+1)); done") { _ throws in
                let helper = try TestHelper(versions: VersionRange(minimum: 1, maximum: 1))
                #expect(try helper.ask(act("many", "m")).outcome == .refused(.tooManyMounts, detail: []))
                #expect(try helper.ask(act("many", "m")).facts == .count(6))
            }
        }

        @Test func symbolicLinkAtThePlace() throws {
            try with(
                "linked",
                "mkdir m; mount -t tmpfs t m; ln -s m link; ln -s /mnt/node/sandboxes/linked/m absolute; ln -s /proc proc"
            ) {
                helper throws in
                for name in ["link", "absolute", "proc"] {
                    let answer = try helper.ask(act("linked", name))
                    #expect(
                        answer.outcome == .alreadyDone, "\(name): there is no mount at the link itself: \(answer.reply)"
                    )
                    let look = try helper.ask(.unmount(.at(0, "linked", name), .look))
                    #expect(look.outcome == .alreadyDone)
                }
                #expect(try mounts(beneath: "\(Self.root)/linked").count == 1)
            }
        }

        @Test func symbolicLinkOnTheWay() throws {
            try with(
                "way",
                "mkdir -p real/m; mount -t tmpfs t real/m; ln -s real link; ln -s /mnt/node/sandboxes/way/real out; ln -s .. up"
            ) {
                helper throws in
                for request in try [
                    act("way", "link", "m"), act("way", "out", "m"), act("way", "up", "way", "real", "m"),
                ] {
                    let answer = try helper.ask(request)
                    #expect(answer.outcome == .refused(.leavesRoot, detail: []), "\(answer.reply)")
                }
                #expect(try mounts(beneath: "\(Self.root)/way").count == 1)
            }
        }

        /// A mount behind another mount is not reached: what is mounted by a container could show anything there.
        @Test func mountOnTheWay() throws {
            try with("behind", "mkdir m; mount -t tmpfs t m; mkdir m/inner; mount -t tmpfs t2 m/inner; touch m/inner/x")
            { helper throws in
                #expect(try helper.ask(act("behind", "m", "inner")).outcome == .refused(.leavesRoot, detail: []))
                #expect(Entry.exists("\(Self.root)/behind/m/inner/x"))
                // With the outer one goes what is mounted beneath it.
                #expect(try helper.ask(act("behind", "m")).facts == .count(1))
                #expect(try mounts(beneath: "\(Self.root)/behind") == [])
            }
        }

        @Test func mountBesideAndBelowSurvive() throws {
            try with("beside", "mkdir a b; mount -t tmpfs t a; mount -t tmpfs t b; touch a/f b/f") { helper throws in
                #expect(try helper.ask(act("beside", "a")).facts == .count(1))
                #expect(!Entry.exists("\(Self.root)/beside/a/f") && Entry.exists("\(Self.root)/beside/b/f"))
            }
        }

        @Test func shared() throws {
            try with(
                "shared",
                "mkdir m copy; mount -t tmpfs t m; mount --make-shared m; mount --bind m copy; touch m/f; mkdir m/in; mount -t tmpfs t2 m/in"
            ) {
                helper throws in
                #expect(try mounts(beneath: "\(Self.root)/shared").count == 4, "the inner one shows in the copy too")
                #expect(try helper.ask(act("shared", "m")).facts == .count(1))
                #expect(try mounts(beneath: "\(Self.root)/shared/m") == [])
                #expect(Entry.exists("\(Self.root)/shared/copy/f"))
                #expect(try mounts(beneath: "\(Self.root)/shared/copy").count == 2, "its peer keeps the inner one")
            }
        }

        /// What is mounted within what is mounted within: the peers of all of them keep theirs.
        @Test func sharedAndDeep() throws {
            try with(
                "deep",
                "mkdir m copy; mount -t tmpfs t m; mount --make-shared m; mkdir m/in; mount -t tmpfs t2 m/in; mkdir m/in/in; mount -t tmpfs t3 m/in/in; mount --rbind m copy"
            ) {
                helper throws in
                #expect(try mounts(beneath: "\(Self.root)/deep").count == 6)
                #expect(try helper.ask(act("deep", "m")).facts == .count(1))
                #expect(try mounts(beneath: "\(Self.root)/deep/m") == [])
                #expect(try mounts(beneath: "\(Self.root)/deep/copy").count == 3, "its peer keeps all of it")
            }
        }

        @Test func mountedFileAndBindOfADirectory() throws {
            try with(
                "bound",
                "mkdir d; mkdir -p /mnt/canary/u; touch f /mnt/canary/u/g; mount --bind /mnt/canary/u d; mount --bind /mnt/canary/u/g f"
            ) {
                helper throws in
                #expect(try helper.ask(act("bound", "d")).facts == .count(1))
                #expect(try helper.ask(act("bound", "f")).facts == .count(1))
                #expect(Entry.exists("/mnt/canary/u/g"))
            }
        }

        /// A locked mount: umount2 says EINVAL, and it is mounted as before. That is no `alreadyDone`.
        @Test func busyIsDetached() throws {
            try with("busy", "mkdir m; mount -t tmpfs t m; touch m/open") { helper throws in
                var start = ProgramStart("/bin/sh", ["-c", "exec 3<m/open; echo ready; exec sleep 60"])
                start.arguments[2] = "cd \(Self.root)/busy; exec 3<m/open; cd m; echo ready; exec sleep 60"
                start.input = 0
                start.output = .read
                let user = try Program(start)
                #expect(try user.readLine() == "ready\n")
                #expect(try helper.ask(act("busy", "m")).facts == .count(1))
                #expect(try mounts(beneath: "\(Self.root)/busy") == [])
            }
        }

        @Test func nothingThere() throws {
            let helper = try TestHelper()
            for request in try [act("no-such"), act("no-such", "deeper", "m")] {
                let answer = try helper.ask(request)
                #expect(answer.outcome == .alreadyDone && answer.facts == .none)
            }
            try with("plain", "mkdir d; touch f") { helper throws in
                #expect(try helper.ask(act("plain", "d")).outcome == .alreadyDone)
                #expect(try helper.ask(act("plain", "f")).outcome == .alreadyDone)
                #expect(try helper.ask(act("plain", "f", "m")).outcome == .refused(.notDirectory, detail: []))
            }
        }

        /// A FUSE server that never answers: nothing may be asked of its filesystem.
        @Test func silentFUSE() throws {
            try with("fuse", "mkdir m") { helper throws in
                let path = "\(Self.root)/fuse/m"
                var start = ProgramStart(try Programs.silentFUSE.get(), [path])
                start.input = 0
                start.output = .read
                let server = try Program(start)
                #expect(try server.readLine() == "ready\n")
                let (seconds, look) = try timed { try helper.ask(.unmount(.at(0, "fuse", "m"), .look)) }
                #expect(look.outcome == .done && seconds < 1, "\(look.reply)")
                // Beneath it nothing can be reached, so that nobody waits.
                let (inner, answer) = try timed { try helper.ask(act("fuse", "m", "x")) }
                #expect(answer.outcome == .refused(.leavesRoot, detail: []) && inner < 1)
                let (tree, removal) = try timed { try helper.ask(.remove(.at(0, "fuse"))) }
                #expect(removal.outcome == .refused(.mountBeneath, detail: Array("m".utf8)) && tree < 1)
                let (detach, done) = try timed { try helper.ask(act("fuse", "m")) }
                #expect(done.facts == .count(1) && detach < 1)
                #expect(try mounts(beneath: path) == [])
            }
        }
    }
}
