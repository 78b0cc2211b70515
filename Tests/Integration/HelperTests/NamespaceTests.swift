import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    @Suite struct Namespaces {
        enum Kind: String, CaseIterable {
            case net, ipc, uts, user
            func root() throws -> UInt8 {
                switch self {
                case .net: TestNode.Root.netns
                case .ipc: TestNode.Root.ipcns
                case .uts: TestNode.Root.utsns
                case .user: try TestNode.Root.userns()
                }
            }
            var directory: String { "/mnt/node/\(rawValue)ns" }

            /// A script that pins a new namespace of this kind.
            func pin(_ name: String) -> String { pin(at: "\(directory)/\(name)") }

            /// unshare(1) enters the new user namespace before it pins it, and may not.
            func pin(at path: String) -> String {
                guard self == .user else { return "touch \(path); unshare --\(rawValue)=\(path) true" }
                return """
                    touch \(path); unshare --user sleep 100 </dev/null >/dev/null 2>&1 & own=$(readlink /proc/self/ns/user)
                    while [ "$(readlink /proc/$!/ns/user)" = "$own" ]; do sleep 0.01; done
                    mount --bind /proc/$!/ns/user \(path); kill -9 $!
                    """
            }
        }

        private func delete(_ kind: Kind, _ name: String, only: NodeIdentity? = nil) throws -> Request {
            .deleteNamespace(try .at(kind.root(), name), .act(only: only))
        }

        /// stat(1)'s time of modification, in nanoseconds since 1970.
        private func modified(_ path: String) throws -> UInt64 {
            let digits = try shell("date -r '\(path)' +%s%N").filter(\.isNumber)
            return try #require(UInt64(digits))
        }

        @Test(arguments: Kind.allCases, [1, 3] as [UInt16]) func pin(_ kind: Kind, _ version: UInt16) throws {
            let helper = try TestHelper(versions: VersionRange(minimum: 1, maximum: version))
            for name in ["sample-one", "0a1b2c3d-4e5f-6789-abcd-ef0123456789"] {
                try shell(kind.pin(name))
                let path = "\(kind.directory)/\(name)"
                let entry = try #require(Entry.at(path, follow: true))
                let look = try helper.ask(.deleteNamespace(.at(kind.root(), name), .look))
                let birth = version == 1 ? 0 : try modified(path)
                let identity = NodeIdentity(device: entry.device, inode: entry.inode, birth: birth)
                #expect(look.outcome == .done && look.facts == .namespace(identity, mounted: true))
                #expect(try mounts(beneath: path).count == 1, "a look changes nothing")
                var other = identity
                other.inode += 1
                #expect(
                    try helper.ask(delete(kind, name, only: other)).outcome == .refused(.identityMismatch, detail: []))
                // Another namespace that was given the same inode later.
                other = identity
                other.birth += 1
                #expect(
                    try helper.ask(delete(kind, name, only: other)).outcome == .refused(.identityMismatch, detail: []))
                #expect(try mounts(beneath: path).count == 1)
                let answer = try helper.ask(delete(kind, name, only: identity))
                #expect(answer.outcome == .done && answer.facts == .namespace(identity, mounted: true))
                #expect(!Entry.exists(path))
                #expect(try helper.ask(delete(kind, name)).outcome == .alreadyDone)
            }
        }

        /// A record of version 1 has no time.
        @Test func timeUnknown() throws {
            try shell(Kind.net.pin("sample-old"))
            let entry = try #require(Entry.at("\(Kind.net.directory)/sample-old", follow: true))
            let identity = NodeIdentity(device: entry.device, inode: entry.inode, birth: 0)
            #expect(try TestHelper().ask(delete(.net, "sample-old", only: identity)).outcome == .done)
        }

        @Test func stacked() throws {
            let helper = try TestHelper()
            let (kind, name) = (Kind.net, "sample-stacked")
            try shell("\(kind.pin(name)); for n in 1 2 3; do unshare --net=\(kind.directory)/\(name) true; done")
            #expect(try mounts(beneath: "\(kind.directory)/\(name)").count == 4)
            #expect(try helper.ask(delete(kind, name)).outcome == .done)
            #expect(!Entry.exists("\(kind.directory)/\(name)"))
        }

        /// Beneath a pin may lie something else: it is uncovered, and stays.
        @Test func stackedUponSomethingElse() throws {
            let helper = try TestHelper()
            let (kind, name) = (Kind.net, "sample-upon")
            let path = "\(kind.directory)/\(name)"
            try shell(
                "touch \(path); echo secret >/mnt/canary/upon; mount --bind /mnt/canary/upon \(path); unshare --net=\(path) true"
            )
            #expect(try helper.ask(delete(kind, name)).outcome == .refused(.notNamespace, detail: []))
            #expect(try shell("cat \(path)") == "secret\n")
            #expect(try mounts(beneath: path).count == 1)
            try shell("umount \(path); rm \(path)")
        }

        @Test func leftOverFile() throws {
            let helper = try TestHelper()
            let (kind, name) = (Kind.net, "sample-left")
            let path = "\(kind.directory)/\(name)"
            try shell("touch \(path); chmod 0 \(path)")
            let entry = try #require(Entry.at(path))
            let look = try helper.ask(.deleteNamespace(.at(kind.root(), name), .look))
            guard case .namespace(let identity, mounted: false) = look.facts else {
                throw ProgramFailure(description: "\(look.reply)")
            }
            #expect(identity.inode == entry.inode && identity.device == entry.device)
            #expect(try helper.ask(delete(kind, name, only: identity)).outcome == .done)
            #expect(!Entry.exists(path))
        }

        @Test(arguments: [(Kind.net, Kind.ipc), (.net, .uts), (.ipc, .net), (.uts, .ipc), (.user, .net), (.net, .user)])
        func ofAnotherKind(_ kind: Kind, _ other: Kind) throws {
            let helper = try TestHelper()
            let path = "\(kind.directory)/sample-other"
            try shell(other.pin(at: path))
            defer { _ = try? shell("umount \(path); rm \(path)") }
            #expect(try helper.ask(delete(kind, "sample-other")).outcome == .refused(.wrongNamespaceKind, detail: []))
            #expect(try mounts(beneath: path).count == 1)
        }

        /// A client that knows no user namespaces is told of no such root, and has the other roots' numbers.
        @Test(arguments: [1, 2, 3] as [UInt16]) func rootsOfUserNamespaces(_ version: UInt16) throws {
            let helper = try TestHelper(ungreeted: TestHelper.start)
            let welcome = try helper.greet(VersionRange(minimum: 1, maximum: version))
            let user = try Kind.user.root()
            #expect(welcome.roots.map(\.kind).contains(.userNamespace) == (version > 2))
            #expect(welcome.roots.count == Int(user) + (version > 2 ? 1 : 0))
        }

        /// What is no pin stays, and is not opened: a FIFO would block.
        @Test(arguments: [
            "touch x; mount --bind /mnt/canary x", "echo content >x", "mkfifo x", "mkdir x", "ln -s /mnt/canary x",
            "ln -s /proc/1/ns/net x", "mknod x c 1 3", "mknod x b 7 0",
            "touch x /mnt/canary/file; mount --bind /mnt/canary/file x",
            "mkfifo /mnt/canary/fifo; touch x; mount --bind /mnt/canary/fifo x",
            "touch x; mount --bind /proc/self/status x", "mkdir x; mount -t tmpfs t x",
            "touch x; mount --bind /dev/null x",
        ])
        func noNamespace(_ script: String) throws {
            let helper = try TestHelper()
            let path = "\(TestNode.netns)/sample-x"
            // A directory is bound to a directory only.
            try shell(
                "cd \(TestNode.netns); \(script.replacing("touch x; mount --bind /mnt/canary x", with: "mkdir x; mount --bind /mnt/canary x").replacing(" x", with: " sample-x").replacing(">x", with: ">sample-x"))"
            )
            defer { _ = try? shell("umount \(path) 2>/dev/null || true; rm -rf \(path) /mnt/canary/fifo") }
            let before = try #require(Entry.at(path))
            for request in try [
                delete(.net, "sample-x"), .deleteNamespace(.at(TestNode.Root.netns, "sample-x"), .look),
            ] {
                let (seconds, answer) = try timed { try helper.ask(request) }
                #expect(answer.outcome == .refused(.notNamespace, detail: []), "\(answer.reply)")
                #expect(seconds < 1)
            }
            #expect(Entry.at(path)?.inode == before.inode)
        }

        /// A writer waits until somebody opens the FIFO to read: nobody does.
        @Test func whatIsNoNamespaceIsNotOpened() throws {
            let helper = try TestHelper()
            let (fifo, path) = ("/mnt/canary/unopened", "\(TestNode.netns)/sample-x")
            try shell("mkfifo \(fifo); touch \(path); mount --bind \(fifo) \(path)")
            defer { _ = try? shell("umount \(path); rm \(path) \(fifo)") }
            var start = ProgramStart("/bin/sh", ["-c", "echo waiting; exec 3>\(fifo)"])
            start.input = 0
            start.output = .read
            let writer = try Program(start)
            #expect(try writer.readLine() == "waiting\n")
            #expect(try writer.wait(seconds: 0.2) == nil)
            #expect(try helper.ask(delete(.net, "sample-x")).outcome == .refused(.notNamespace, detail: []))
            #expect(try writer.wait(seconds: 0.2) == nil, "its FIFO was opened")
        }

        @Test(arguments: [
            "sample-", "sampl", "Sample-x", "x", "xsample-y", "0A1b2c3d-4e5f-6789-abcd-ef0123456789",
            "0a1b2c3d-4e5f-6789-abcd-ef012345678",
            "0a1b2c3d-4e5f-6789-abcd-ef01234567890", "0a1b2c3d04e5f-6789-abcd-ef0123456789", "uuid", "sample",
            " sample-x",
        ])
        func otherNames(_ name: String) throws {
            let helper = try TestHelper()
            try shell("touch '\(TestNode.netns)/\(name)'")
            defer { _ = try? shell("rm '\(TestNode.netns)/\(name)'") }
            #expect(try helper.ask(delete(.net, name)).outcome == .refused(.nameNotAllowed, detail: []))
            #expect(Entry.exists("\(TestNode.netns)/\(name)"))
        }

        /// The first `ip netns add` of a node mounts /run/netns over itself: a root kept open since the start goes blind.
        @Test func rootMountedOverItselfAfterTheStart() throws {
            let helper = try TestHelper()
            let root = TestNode.netns
            #expect(try helper.ask(.lookAt(.at(TestNode.Root.netns))).outcome == .done)
            try shell("mount --bind \(root) \(root); mount --make-shared \(root); \(Kind.net.pin("sample-later"))")
            defer { _ = try? shell("umount -l \(root)") }
            let look = try helper.ask(.deleteNamespace(.at(TestNode.Root.netns, "sample-later"), .look))
            guard case .namespace(_, mounted: true) = look.facts else {
                throw ProgramFailure(description: "\(look.reply)")
            }
            #expect(try helper.ask(delete(.net, "sample-later")).outcome == .done)
            #expect(!Entry.exists("\(root)/sample-later"))
            #expect(try mounts(beneath: "\(root)/sample-later") == [])
        }
    }
}
