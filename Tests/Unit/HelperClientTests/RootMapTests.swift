import HelperClient
import HelperProtocol
import Testing

private func bytes<let capacity: Int>(_ text: String) -> InlineBytes<capacity> {
    var out = InlineBytes<capacity>()
    for byte in text.utf8 where !out.append(byte) { Issue.record("\(text) is too long") }
    return out
}

private func root(_ kind: RootKind, _ path: String, _ depths: ClosedRange<UInt8> = 1...1, names: String = "")
    -> Welcome.Root
{
    Welcome.Root(
        kind: kind, minimumDepth: depths.lowerBound, maximumDepth: depths.upperBound, path: bytes(path),
        names: bytes(names))
}

private let welcome = Welcome(
    version: 1, release: bytes("1"), missing: 0,
    roots: [
        root(.sandbox, "/run/pods"),
        root(.container, "/var/lib/containers", 1...2),
        root(.container, "/var/lib/containers/deep", 2...3),
        root(.networkNamespace, "/var/run/netns", names: "cni-* uuid"),
        root(.cgroup, "/sys/fs/cgroup/pods"),
    ],
    runtimes: [
        Welcome.Runtime(name: bytes("runc"), stateRoot: bytes("/run/runc"), hooks: false),
        Welcome.Runtime(name: bytes("crun"), stateRoot: bytes("/run/crun"), hooks: true),
    ])

private let map = RootMap(welcome, varRunIsRun: true)

@Suite struct RootMapTests {
    @Test(arguments: [
        ("/run/pods/a", 0, ["a"]), ("/var/run/pods/a", 0, ["a"]),
        ("/var/lib/containers/a", 1, ["a"]), ("/var/lib/containers/a/b", 1, ["a", "b"]),
        ("/var/lib/containers/deep/a/b/c", 2, ["a", "b", "c"]),
        // Too shallow for the deeper root, but right for the one that contains it.
        ("/var/lib/containers/deep/a", 1, ["deep", "a"]),
    ])
    func directoriesToRemove(_ path: String, _ index: Int, _ components: [String]) throws {
        let place = try map.place(path, for: .remove, in: [.sandbox, .container])
        #expect(place == (try Place(root: UInt8(index), components: components.map { Array($0.utf8) })))
    }

    @Test(arguments: [
        ("relative", RootError.notAbsolute("relative")), ("", .notAbsolute("")),
        ("/run/pods", .outside("/run/pods", roots: ["/run/pods"])),
        ("/run/podsx/a", .outside("/run/podsx/a", roots: ["/run/pods"])),
        ("/run/pods/../etc", .notNormalised("/run/pods/../etc")),
        ("/run/pods//a", .notNormalised("/run/pods//a")), ("/run/pods/", .notNormalised("/run/pods/")),
        ("/run/pods/a/b", .wrongDepth("/run/pods/a/b", root: "/run/pods", depth: 2, allowed: 1...1)),
    ])
    func pathsThatAreRefused(_ path: String, _ error: RootError) {
        #expect(throws: error) { try map.place(path, for: .remove, in: [.sandbox]) }
    }

    @Test func deeperThanARequestCanName() {
        let path = "/run/pods" + String(repeating: "/a", count: 17)
        #expect(throws: RootError.tooDeep(path, root: "/run/pods")) {
            try map.place(path, for: .unmount, in: [.sandbox])
        }
    }

    @Test func mountsMayLieDeeper() throws {
        #expect(try map.place("/run/pods/a/b/c", for: .unmount, in: [.sandbox]).depth == 3)
    }

    @Test func namesOfMountPointsAreAnyBytes() throws {
        let place = try map.place(Array("/run/pods/a/".utf8) + [0xff, 0x0a], for: .unmount, in: [.sandbox])
        #expect(place.name.array == [0xff, 0x0a])
    }

    @Test(arguments: ["/run/netns/cni-1", "/var/run/netns/0a1b2c3d-0000-4111-8222-0123456789ab"])
    func namespaces(_ path: String) throws {
        #expect(try map.place(path, for: .deleteNamespace, in: [.networkNamespace]).root == 3)
    }

    @Test(arguments: ["mine", "cni-", "0A1B2C3D-0000-4111-8222-0123456789AB", "0a1b2c3d-0000-4111-8222-0123456789a"])
    func namesThatAreNotPods(_ name: String) {
        #expect(throws: RootError.nameNotAllowed("/run/netns/\(name)", root: "/var/run/netns", names: "cni-* uuid")) {
            try map.place("/run/netns/\(name)", for: .deleteNamespace, in: [.networkNamespace])
        }
    }

    @Test func varRunIsItsOwnDirectoryWhereItIsNoLink() {
        let apart = RootMap(welcome, varRunIsRun: false)
        #expect(throws: RootError.outside("/run/netns/cni-1", roots: ["/var/run/netns (names cni-* uuid)"])) {
            try apart.place("/run/netns/cni-1", for: .deleteNamespace, in: [.networkNamespace])
        }
    }

    @Test func noRootOfThatKind() {
        let error = #expect(throws: RootError.self) {
            try map.place("/run/utsns/a", for: .deleteNamespace, in: [.utsNamespace])
        }
        #expect(
            error.map { "\($0)" } == "/run/utsns/a lies outside every root of helper.conf; it has none of that kind")
    }

    @Test func runtimes() throws {
        #expect(try map.runtime(named: "crun") == 1)
        #expect(throws: RootError.unknownRuntime("kata", known: ["runc", "crun"])) { try map.runtime(named: "kata") }
        #expect(throws: RootError.invalidContainerID("-x")) { try map.target("-x", runtime: "runc") }
    }
}
