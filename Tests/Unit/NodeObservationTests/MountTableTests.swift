import Testing

@testable import NodeObservation

@Suite struct MountTableTests {
    private func table(_ lines: String...) throws -> MountTable {
        try MountTable.parse(Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    private func line(_ id: Int, on parent: Int, at point: String, _ type: String = "tmpfs") -> String {
        "\(id) \(parent) 0:5 / \(point) rw - \(type) none rw"
    }

    @Test func readsEveryField() throws {
        let mount = try #require(
            table("36 35 98:12 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue").mounts
                .first)
        #expect(mount.id == 36)
        #expect(mount.parentID == 35)
        #expect(mount.device == Mount.Device(major: 98, minor: 12))
        #expect(mount.root == Array("/mnt1".utf8))
        #expect(mount.mountPoint == Array("/mnt2".utf8))
        #expect(mount.options == "rw,noatime")
        #expect(mount.propagation == ["master:1", "shared:7"])
        #expect(mount.type == "ext3")
        #expect(mount.source == Array("/dev/root".utf8))
        #expect(mount.superOptions == "rw,errors=continue")
    }

    /// What CRI-O left on a node, shortened.
    @Test func readsAPodsMounts() throws {
        let userdata = "/run/containers/storage/overlay-containers/2d3b/userdata"
        let table = try table(
            "44 27 0:39 / \(userdata)/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k",
            "48 27 0:4 net:[4026532179] /var/run/netns/2d18e2ac-1274 rw shared:2 - nsfs nsfs rw",
            "51 69 0:41 / /var/lib/containers/storage/overlay/cdfe/merged rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u"
        )
        #expect(table.mounts(beneath: userdata).map(\.type) == ["tmpfs"])
        let pin = try #require(table.mounts(beneath: "/var/run/netns").first)
        #expect(pin.root == Array("net:[4026532179]".utf8))
        #expect(pin.components(beneath: Array("/var/run/netns".utf8)) == [Array("2d18e2ac-1274".utf8)])
        #expect(table.mounts(beneath: "/run/netns").isEmpty)
    }

    @Test func undoesTheKernelsEscapesAndNothingElse() throws {
        let mount = try #require(
            table(#"1 2 0:5 / /a\040b\011c\012d\134040\043\777\04 rw - tmpfs s\040t rw"#).mounts.first)
        #expect(mount.mountPoint == Array("/a b\tc\nd\\040#\\777\\04".utf8))
        #expect(mount.source == Array("s t".utf8))
    }

    @Test func keepsNamesThatAreNotText() throws {
        let table = try MountTable.parse(
            Array("1 2 0:5 / /a/".utf8) + [0xff, 0x80] + Array(" rw - tmpfs none rw\n".utf8))
        #expect(table.mounts[0].mountPoint == Array("/a/".utf8) + [0xff, 0x80])
        #expect(table.mounts(beneath: Array("/a/".utf8) + [0xff, 0x80]).count == 1)
        #expect(table.mounts[0].components(beneath: Array("/a".utf8)) == [[0xff, 0x80]])
    }

    @Test func readsAnEmptySourceAndOptionsWithSpaces() throws {
        let mount = try #require(table("1 2 0:5 / /a rw -  tmpfs  rw,a b").mounts.first)
        #expect(mount.source == Array("tmpfs".utf8))
        let empty = try #require(table("1 2 0:5 / /a rw - tmpfs  rw,a b").mounts.first)
        #expect(empty.source.isEmpty)
        #expect(empty.superOptions == "rw,a b")
    }

    @Test(arguments: [
        "1", "1 2 0:5 / /a rw tmpfs none rw", "x 2 0:5 / /a rw - tmpfs none rw", "1 2 0 / /a rw - tmpfs none rw",
        "1 2 0:5 / a rw - tmpfs none rw", "1 2 0:5 / /a rw - tmpfs none", "99999999999999999999 2 0:5 / /a rw - t n rw",
        "1 2 4294967296:5 / /a rw - tmpfs none rw", "-1 2 0:5 / /a rw - tmpfs none rw", " ",
    ])
    func refusesALineThatIsNone(_ bad: String) throws {
        let error = #expect(throws: ObservationError.self) { try table(line(1, on: 0, at: "/"), bad) }
        guard case .malformed("mountinfo", 2, _) = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
    }

    @Test func matchesWholeNamesOnly() throws {
        let table = try table(
            line(1, on: 0, at: "/"), line(2, on: 1, at: "/a/b"), line(3, on: 1, at: "/a/bc"),
            line(4, on: 2, at: "/a/b/c"))
        #expect(table.mounts(beneath: "/a/b").map(\.id) == [4, 2])
        #expect(table.mounts(beneath: "/a/b/").map(\.id) == [4, 2])
        #expect(table.mounts(beneath: "/a/b/c/d").isEmpty)
        #expect(table.mounts(beneath: "/").map(\.id) == [4, 3, 2, 1])
        #expect(table.mounts[3].components(beneath: Array("/a".utf8)) == [Array("b".utf8), Array("c".utf8)])
        #expect(table.mounts[1].components(beneath: Array("/a/b".utf8)) == [])
        #expect(table.mounts[2].components(beneath: Array("/a/b".utf8)) == nil)
    }

    @Test func listsStackedMountsFromTheTop() throws {
        let table = try table(
            line(1, on: 0, at: "/"), line(2, on: 1, at: "/a"), line(3, on: 2, at: "/a"), line(4, on: 3, at: "/a"))
        #expect(table.mounts(beneath: "/a").map(\.id) == [4, 3, 2])
    }

    /// A mount that propagation tucked beneath an older one is listed later but lies deeper.
    @Test func listsATuckedMountAfterWhatLiesOnIt() throws {
        let table = try table(line(1, on: 0, at: "/"), line(2, on: 9, at: "/a"), line(9, on: 1, at: "/a"))
        #expect(table.mounts(beneath: "/a").map(\.id) == [2, 9])
    }

    @Test func listsAMountThatHidesOthersBeforeThem() throws {
        let table = try table(
            line(1, on: 0, at: "/"), line(2, on: 1, at: "/a/x"), line(3, on: 2, at: "/a/x/y"), line(4, on: 1, at: "/a"))
        #expect(table.mounts(beneath: "/a").map(\.id) == [4, 3, 2])
    }

    @Test func survivesCyclesDepthAndRepeatedIDs() throws {
        let cycle = try table(
            line(1, on: 2, at: "/a"), line(2, on: 1, at: "/a"), line(3, on: 3, at: "/a"), line(3, on: 3, at: "/a"))
        #expect(cycle.mounts(beneath: "/a").count == 4)
        let deep = try MountTable.parse(Array((1...50_000).map { line($0, on: $0 - 1, at: "/a") + "\n" }.joined().utf8))
        #expect(deep.mounts(beneath: "/a").map(\.id) == Array((1...50_000).reversed()))
    }

    /// Mutated and random tables: any answer but a crash.
    @Test func survivesArbitraryBytes() throws {
        var generator = SystemRandomNumberGenerator()
        let sample = Array(
            "36 35 98:12 /mnt1 /m\\040nt2 rw master:1 - ext3 /dev/root rw\n36 36 0:1 / / rw - t s o\n".utf8)
        for _ in 0..<20_000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + 4))
                default: bytes.insert(contentsOf: [0x20, 0x5c, 0x2d, 0x0a].shuffled(using: &generator), at: place)
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            guard let table = try? MountTable.parse(bytes) else { continue }
            #expect(table.mounts(beneath: "/").count == table.mounts.count)
        }
    }

    @Test func readsThisProcessesTable() throws {
        let table = try MountTable.current()
        #expect(table.mounts(beneath: "/proc").contains { $0.type == "proc" })
        #expect(table.mounts(beneath: "/").count == table.mounts.count)
        #expect(try MountTable.of(pid: 1) != nil)
        #expect(try MountTable.of(pid: .max) == nil)
    }
}
