import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Detaching what is mounted beneath a directory, however deep.
    @Suite struct UnmountBeneath {
        private static let root = TestNode.sandboxes

        private func with(_ name: String, _ script: String, _ body: (TestHelper) throws -> Void) throws {
            try TestNode.shared()
            let path = "\(Self.root)/\(name)"
            defer { clear(path) }
            try shell("mkdir \(path); cd \(path); \(script)")
            try body(TestHelper())
        }

        private func beneath(
            _ name: String, only: NodeIdentity? = nil, most: UInt32 = Limits.sliceEntries
        ) throws -> Request {
            .unmountBeneath(try .at(0, name), only: only, most: most)
        }

        @Test func deeperThanAPlace() throws {
            let names = (1...30).map { "level-\($0)" }.joined(separator: "/")
            try with("deep", "mkdir -p \(names)/m other; mount -t tmpfs t \(names)/m; mount -t tmpfs u other") {
                helper throws in
                let answer = try helper.ask(beneath("deep"))
                #expect(answer.outcome == .done && answer.facts == .count(2), "\(answer.reply)")
                #expect(try mounts(beneath: "\(Self.root)/deep") == [])
                #expect(try helper.ask(beneath("deep")).outcome == .alreadyDone)
                #expect(try helper.ask(.remove(.at(0, "deep"))).outcome == .done)
            }
        }

        /// A way of more than 4,096 bytes, which no call takes at once.
        @Test func longerThanAnyPath() throws {
            try with("long", "") { helper throws in
                let name = String(repeating: "n", count: 200)
                try shell(
                    """
                    cd \(Self.root)/long; i=0
                    while [ $i -lt 25 ]; do mkdir \(name); cd -P \(name) 2>/dev/null || cd ./\(name); i=$((i+1)); done
                    mkdir m; mount -t tmpfs t m
                    """)
                #expect(try mounts(beneath: "\(Self.root)/long").count == 1)
                #expect(try helper.ask(beneath("long")).facts == .count(1))
                #expect(try mounts(beneath: "\(Self.root)/long") == [])
            }
        }

        @Test(arguments: ["a b", "a\\\\134b", "tab\\tnew", "#1"]) func namesThatAreEscaped(_ name: String) throws {
            try with("escaped", "n=\"$(printf '\(name)')\"; mkdir -p \"$n/$n\"; mount -t tmpfs t \"$n/$n\"") {
                helper throws in
                #expect(try helper.ask(beneath("escaped")).facts == .count(1))
                #expect(try shell("grep -c /escaped/ /proc/self/mountinfo || true") == "0\n")
            }
        }

        /// Mounts upon mounts, one that another covers, and a great many stacked on one place; volumes keep their data.
        @Test func everyArrangement() throws {
            try with(
                "stack",
                """
                mkdir -p /mnt/node/volume; echo keep >/mnt/node/volume/file
                mkdir -p a/b c; mount -t tmpfs t a/b; mkdir a/b/d; mount -t tmpfs u a/b/d; mount --bind /mnt/node/volume a
                i=0; while [ $i -lt 200 ]; do mount --bind /mnt/node/volume c; i=$((i+1)); done
                """
            ) { helper throws in
                let first = try helper.ask(beneath("stack", most: 150))
                #expect(first.outcome == .inProgress && first.facts == .count(150), "\(first.reply)")
                let rest = try helper.ask(beneath("stack"))
                // The one at a, the one at a/b that it covered, with what was mounted in that, and 200 at c.
                #expect(rest.outcome == .done && rest.facts == .count(52), "\(rest.reply)")
                #expect(try mounts(beneath: "\(Self.root)/stack") == [])
                #expect(try shell("cat /mnt/node/volume/file; rm -r /mnt/node/volume") == "keep\n")
            }
        }

        /// Nothing at the directory, beside it, or behind a link.
        @Test func nothingElse() throws {
            try with(
                "beside",
                """
                mkdir -p m ../beside-2/m /mnt/node/elsewhere; mount -t tmpfs t ../beside-2/m; mount -t tmpfs e /mnt/node/elsewhere
                ln -s ../beside-2 link; ln -s /mnt/node/elsewhere absolute; mount -t tmpfs t m
                """
            ) { helper throws in
                defer {
                    clear("\(Self.root)/beside-2")
                    clear("/mnt/node/elsewhere")
                }
                let directory = try #require(Entry.at("\(Self.root)/beside"))
                let other = NodeIdentity(device: directory.device, inode: directory.inode + 1, birth: 0)
                #expect(
                    try helper.ask(beneath("beside", only: other)).outcome == .refused(.identityMismatch, detail: []))
                guard case .directory(let facts) = try helper.ask(.lookAt(.at(0, "beside"))).facts else {
                    throw ProgramFailure(description: "not a directory")
                }
                #expect(try helper.ask(beneath("beside", only: facts.identity)).facts == .count(1))
                for place in ["\(Self.root)/beside-2/m", "/mnt/node/elsewhere"] {
                    #expect(try mounts(beneath: place).count == 1)
                }
                // Something at the directory itself hides it, and stays.
                try shell(
                    "mount --bind \(Self.root)/beside-2 \(Self.root)/beside; mount -t tmpfs t \(Self.root)/beside/m")
                #expect(try helper.ask(beneath("beside")).outcome == .refused(.mountBeneath, detail: []))
                #expect(try mounts(beneath: "\(Self.root)/beside").count == 2)
            }
        }

        /// A mount over the root hides another: mountinfo has it for ever, and nobody reaches it.
        @Test func hiddenByAMountOverTheRoot() throws {
            try with("hidden", "mkdir m n; mount -t tmpfs t m") { helper throws in
                try shell("mount --bind \(Self.root) \(Self.root); mount -t tmpfs u \(Self.root)/hidden/n")
                defer { _ = try? shell("umount -l \(Self.root)") }
                #expect(
                    try helper.ask(beneath("hidden"), milliseconds: 500).outcome
                        == .refused(.leavesRoot, detail: Array("m".utf8)))
                #expect(try mounts(beneath: "\(Self.root)/hidden/n") == [], "what can be reached is detached")
                #expect(
                    try helper.ask(beneath("hidden"), milliseconds: 500).outcome
                        == .refused(.leavesRoot, detail: Array("m".utf8)))
            }
        }

        @Test func wrongPlaces() throws {
            let helper = try TestHelper()
            #expect(try helper.ask(beneath("nobody")).outcome == .alreadyDone)
            for (rule, place) in [
                (Rule.wrongDepth, Place(root: 0)), (.wrongRootKind, try .at(TestNode.Root.netns, "x")),
                (.wrongDepth, Place(root: TestNode.Root.containers)), (.unknownRoot, try .at(99, "x")),
            ] {
                #expect(
                    try helper.ask(.unmountBeneath(place, only: nil, most: 1)).outcome == .refused(rule, detail: []))
            }
        }

        /// Thousands stacked at one place, as a kubelet that retries may leave them: one request detaches what its deadline allows.
        @Test func thousandsStacked() throws {
            try with(
                "thousands", "mkdir m; i=0; while [ $i -lt 2000 ]; do mount --bind /mnt/canary m; i=$((i+1)); done"
            ) { helper throws in
                let request = Request.unmount(try .at(0, "thousands", "m"), .act(only: nil))
                var left = 2000
                for milliseconds: UInt32 in [1, 1, 10] {
                    let answer = try helper.ask(request, milliseconds: milliseconds)
                    guard case (.inProgress, .count(let count)) = (answer.outcome, answer.facts), count > 0 else {
                        throw ProgramFailure(description: "\(answer.reply)")
                    }
                    left -= Int(count)
                    #expect(try mounts(beneath: "\(Self.root)/thousands").count == left)
                }
                let rest = try helper.ask(request, milliseconds: 60_000)
                #expect(rest.outcome == .done && rest.facts == .count(UInt64(left)), "\(rest.reply)")
                #expect(try mounts(beneath: "\(Self.root)/thousands") == [])
            }
        }
    }
}
