import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// What a hostile container can leave in a directory that is to be removed.
    @Suite struct HostileTrees {
        /// The canary outside: none of it may ever change.
        private static let canary = HostileTree.canary
        private static let makeCanary =
            "rm -rf \(canary); mkdir -p \(canary)/d/e; echo precious >\(canary)/f; echo more >\(canary)/d/e/g; chmod 700 \(canary)/d"

        private func canary() throws -> String {
            try shell("cd \(Self.canary); find . -printf '%p %y %m %U %s\\n' | sort; cat f d/e/g")
        }

        @Test(arguments: Disk.allCases, HostileTree.all) func goes(_ disk: Disk, _ tree: HostileTree) throws {
            try TestNode.shared()
            try shell("\(Self.makeCanary); mkdir \(disk.path)/hostile; cd \(disk.path)/hostile; \(tree.script)")
            let before = try canary()
            let helper = try TestHelper()
            let entries = try shell("find \(disk.path)/hostile -printf x | wc -c")
            let request = Request.remove(try .at(disk.root, "hostile"))
            let answer = try helper.ask(request)
            #expect(answer.outcome == .done, "\(tree.name): \(answer.reply)")
            #expect(answer.facts == .count(UInt64(entries.dropLast()) ?? 0))
            #expect(!Entry.exists("\(disk.path)/hostile"))
            #expect(try canary() == before)
            #expect(try helper.ask(request).outcome == .alreadyDone)
        }

        @Test(arguments: Disk.allCases, ["ln -s /mnt/canary/tree t", "echo x >t", "mkfifo t", "mknod t c 1 3"])
        func placeIsNoDirectory(_ disk: Disk, _ script: String) throws {
            try TestNode.shared()
            try shell("\(Self.makeCanary); cd \(disk.path); \(script)")
            defer { clear("\(disk.path)/t") }
            let helper = try TestHelper()
            for request in try [Request.remove(.at(disk.root, "t")), .lookAt(.at(disk.root, "t"))] {
                #expect(try helper.ask(request).outcome == .refused(.notDirectory, detail: []))
            }
            #expect(Entry.exists("\(disk.path)/t"))
        }

        @Test func wayLeadsThroughALink() throws {
            try TestNode.shared()
            try shell(
                "\(Self.makeCanary); mkdir -p \(TestNode.containers)/way; ln -s \(Self.canary) \(TestNode.containers)/way/link; ln -s \(Self.canary) \(TestNode.containers)/top"
            )
            defer { clear("\(TestNode.containers)/way"); clear("\(TestNode.containers)/top") }
            let before = try canary()
            let helper = try TestHelper()
            #expect(try helper.ask(.remove(.at(1, "top", "d"))).outcome == .refused(.leavesRoot, detail: []))
            #expect(try helper.ask(.lookAt(.at(1, "top", "d"))).outcome == .refused(.leavesRoot, detail: []))
            #expect(try helper.ask(.remove(.at(1, "way", "link"))).outcome == .refused(.notDirectory, detail: []))
            #expect(try canary() == before)
        }

        /// chattr(1): reported as what it is, and all else is removed.
        @Test(arguments: ["i", "a"]) func attributes(_ attribute: String) throws {
            try TestNode.shared()
            let path = "\(TestNode.ext4Sandboxes)/kept"
            try shell(
                "mkdir -p \(path)/a/b \(path)/z; cd \(path); touch a/b/file a/b/other z/x y; chattr +\(attribute) a/b/file"
            )
            defer { _ = try? shell("chattr -f -R -ia \(path); rm -rf \(path)") }
            let helper = try TestHelper()
            let request = Request.remove(try .at(TestNode.Root.ext4, "kept"))
            let answer = try helper.ask(request)
            #expect(answer.outcome == .refused(.immutableEntry, detail: Array("a/b/file".utf8)), "\(answer.reply)")
            #expect(answer.facts == .count(4))
            #expect(try shell("cd \(path); find . | sort") == ".\n./a\n./a/b\n./a/b/file\n")
            // A directory that keeps its entries.
            try shell("cd \(path); chattr -\(attribute) a/b/file; touch a/b/second; chattr +\(attribute) a/b")
            let again = try helper.ask(request)
            guard case .refused(.immutableEntry, let detail) = again.outcome else {
                throw ProgramFailure(description: "\(again.reply)")
            }
            #expect(String(decoding: detail, as: UTF8.self).hasPrefix("a/b"))
            try shell("chattr -\(attribute) \(path)/a/b")
            #expect(try helper.ask(request).outcome == .done)
        }

        @Test func readOnlyFilesystem() throws {
            try TestNode.shared()
            let path = "\(TestNode.containers)/readonly"
            try shell("mkdir \(path); mkdir -p \(path)/t/u; touch \(path)/t/f")
            defer { clear(path) }
            try shell(
                "mount --bind \(TestNode.containers) \(TestNode.containers); mount -o remount,ro,bind \(TestNode.containers)"
            )
            defer { _ = try? shell("umount -l \(TestNode.containers)") }
            let answer = try TestHelper().ask(.remove(.at(1, "readonly", "t")))
            guard case .failed(let failure) = answer.outcome else {
                throw ProgramFailure(description: "\(answer.reply)")
            }
            #expect(failure.errno == 30)
            #expect(Entry.exists("\(path)/t/f"))
        }

        /// No byte is free, no inode either: removing needs none.
        @Test func fullFilesystem() throws {
            try TestNode.shared()
            let path = "\(TestNode.sandboxes)"
            try shell("mount -t tmpfs -o size=1m,nr_inodes=200 full \(path); mkdir -p \(path)/full/d")
            defer { _ = try? shell("umount -l \(path)") }
            _ = try? shell(
                "cd \(path)/full; head -c 2000000 /dev/zero >large; i=0; while touch d/$i; do i=$((i+1)); done")
            #expect(try TestHelper().ask(.remove(.at(0, "full"))).outcome == .done)
            #expect(!Entry.exists("\(path)/full"))
        }
    }
}

/// Where a test's trees lie: on a tmpfs, or on the machine's own filesystem.
enum Disk: CaseIterable {
    case memory, ext4
    var root: UInt8 { self == .memory ? TestNode.Root.sandboxes : TestNode.Root.ext4 }
    var path: String { self == .memory ? TestNode.sandboxes : TestNode.ext4Sandboxes }
}

/// A script that makes a tree in its working directory.
struct HostileTree: Sendable, CustomTestStringConvertible {
    var name: String
    var script: String
    var testDescription: String { name }

    static let canary = "/mnt/canary/tree"

    static let all: [HostileTree] = [
        HostileTree(
            name: "links",
            script: """
                ln -s \(canary) d; ln -s \(canary)/f f; ln -s / root; ln -s . self; ln -s .. up; ln -s gone dangling
                mkdir a; ln -s ../../../../etc a/etc; ln -s \(canary)/d a/deep
                """),
        HostileTree(
            name: "special files",
            script: """
                mkfifo fifo; mknod null c 1 3; mknod disk b 7 0; mknod white c 0 0
                python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
                """),
        HostileTree(
            name: "modes", script: "mkdir -p a/b/c x; touch a/f a/b/f; chmod 0 a/f a/b/f a/b/c a/b a; chmod 100 x"),
        HostileTree(
            name: "sticky directories of others",
            script: "mkdir -p s/t; touch s/f s/t/g; chown -R 4711:4711 s; chmod 1777 s; chmod 1700 s/t"),
        HostileTree(name: "hard links", script: "echo x >f; ln f g; mkdir d; ln f d/h; ln \(canary)/f linked || true"),
        HostileTree(name: "large files", script: "truncate -s 1G sparse; head -c 4000000 /dev/zero >large"),
        HostileTree(name: "nothing", script: ":"),
        // Every byte that a name may hold, 255 of them, and names that look like something else.
        HostileTree(
            name: "names",
            script: """
                python3 - <<'END'
                import os
                for byte in range(1, 256):
                    if byte != 0x2f:
                        os.mkdir(bytes([byte]) * 255)
                        open(bytes([byte]) * 254, "w").close()
                for name in [b"...", b" ", b"-rf", b"*", b"a\\nb", b"\\xff\\xfe", b". ", b"\\x1b[2J"]:
                    os.mkdir(name + b".d")
                    open(name + b".d/f", "w").close()
                END
                """),
    ]
}
