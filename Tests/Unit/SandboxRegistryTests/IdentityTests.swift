import Foundation
import GRDB
import Testing

@testable import SandboxRegistry

@Suite("Identities beside names")
struct IdentityTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func comeBackAsTheyWereRecorded() throws {
        let registry = try Registry(path: directory.registry)
        var sandbox = Sandbox.sample("a")
        sandbox.directoryMountID = .max
        sandbox.shmIdentity = FileIdentity(device: 8, inode: 9, birth: 0)
        sandbox.shmMountID = 1 << 63
        var workload = sandbox.workload("c")
        workload.directories[1].mountID = 77
        workload.identity = ContainerIdentity(
            stateDirectory: FileIdentity(device: 1, inode: .max, birth: 2), processInode: 1 << 63,
            cgroups: [workload.cgroups[0]: FileIdentity(device: 5, inode: 6, birth: 0)])
        try registry.register(sandbox, [workload])
        let again = try Registry(path: directory.registry)
        #expect(try again.sandbox("a") == sandbox)
        #expect(try again.containers(of: "a") == [workload])
    }

    /// A registry that an earlier release has made is taken up, with what is in it; identities that it did not keep are not known.
    @Test func ofAnEarlierReleaseAreUnknown() throws {
        let old = try DatabaseQueue(path: directory.registry)
        try old.write { database in
            try database.execute(sql: Schema.loose(Schema.tables))
            try database.execute(
                sql: """
                    INSERT INTO sandbox VALUES ('a', 'n', 'ns', 'u', 0, 1, 'ready', 'runc', '', '', 'boot', '{}', '{}');
                    INSERT INTO container VALUES (1, 'c', 'a', 0, 'n', 0, 1, 'runc', '', 15, 7, 70, '{}', '{}');
                    INSERT INTO place VALUES ('a', NULL, 'directory', '/run/a', 0, 1, 2, 3);
                    INSERT INTO place VALUES ('a', NULL, 'shm', '/run/a/shm', 0, NULL, NULL, NULL);
                    INSERT INTO cgroup VALUES ('c', '/sys/fs/cgroup/c');
                    PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1;
                    """)
        }
        try old.close()
        let registry = try Registry(path: directory.registry)
        let sandbox = try #require(try registry.sandbox("a"))
        #expect(sandbox.directoryIdentity == FileIdentity(device: 1, inode: 2, birth: 3))
        #expect(sandbox.shm == "/run/a/shm" && sandbox.shmIdentity == nil && sandbox.shmMountID == nil)
        let container = try #require(try registry.containers(of: "a").first)
        #expect(container.process == ProcessReference(pid: 7, startTime: 70))
        #expect(container.cgroups == ["/sys/fs/cgroup/c"] && container.identity == ContainerIdentity())
        #expect(sandbox.cgroups.isEmpty && sandbox.monitors.isEmpty)
        try recordsUserNamespaces(registry)
    }

    @Test func ofUserNamespacesToo() throws { try recordsUserNamespaces(try Registry(path: directory.registry)) }

    private func recordsUserNamespaces(_ registry: Registry) throws {
        var sandbox = Sandbox.sample("mapped")
        let pin = NamespacePin(
            kind: .user, path: "/run/userns/mapped", identity: FileIdentity(device: 4, inode: 5, birth: 6))
        sandbox.namespaces = [pin]
        try registry.register(sandbox, [])
        #expect(try registry.sandbox("mapped")?.namespaces == [pin])
        try registry.closeNamespace(pin.path, of: "mapped")
        #expect(try registry.sandbox("mapped")?.namespaces.map(\.closed) == [true])
        #expect(throws: RegistryError.self) { try registry.closeNamespace("/run/userns/other", of: "mapped") }
    }

    private func podCgroup(_ path: String, inode: UInt64 = .max) -> PodCgroup {
        PodCgroup(path: path, identity: FileIdentity(device: 1 << 63, inode: inode, birth: 0))
    }

    @Test func whatIsThePodsOwnComesBack() throws {
        let registry = try Registry(path: directory.registry)
        var sandbox = Sandbox.sample("a")
        sandbox.cgroups = [podCgroup("/cg/\"é"), PodCgroup(path: "/cg/b")]
        sandbox.monitors = [ProcessReference(pid: .max, startTime: .max), ProcessReference(pid: 1, startTime: 0)]
        try registry.register(sandbox, [])
        try registry.register(.sample("b"), [])
        #expect(try registry.sandbox("a") == sandbox)
        #expect(try registry.sandboxes() == [sandbox, .sample("b")])
        try registry.verify()
    }

    @Test func aPodsCgroupIsLeftToAnotherPodThatHasItToo() throws {
        let registry = try Registry(path: directory.registry)
        for (id, own, workload) in [
            ("own", ["/cg/p"], "/cg/own"), ("same", ["/cg/p"], "/cg/same"), ("inner", ["/cg/p/q"], "/cg/inner"),
            ("container", [], "/cg/p/c"), ("beside", ["/cg/p2"], "/cg/p3"), ("above", ["/cg"], "/c"),
            ("going", ["/cg/p"], "/cg/p"),
        ] {
            var sandbox = Sandbox.sample(id)
            sandbox.cgroups = own.map { podCgroup($0) }
            var container = sandbox.workload("c-\(id)")
            container.cgroups = [workload]
            try registry.register(sandbox, [container])
        }
        try registry.markRemoving("going")
        let sharers = try registry.sharers(ofPodCgroup: "/cg/p", besides: "own")
        #expect(Set(sharers) == ["same", "inner", "container"])
        #expect(try !registry.leaveCgroup(podCgroup("/cg/p"), to: "going"))
        #expect(try !registry.leaveCgroup(podCgroup("/cg/p"), to: "nobody"))
        for _ in 0..<2 { #expect(try registry.leaveCgroup(podCgroup("/cg/p", inode: 7), to: "inner")) }
        #expect(try registry.sandbox("inner")?.cgroups == [podCgroup("/cg/p/q"), podCgroup("/cg/p", inode: 7)])
        try registry.verify()
    }

    @Test func sharersOfACgroupAreFoundAcrossSandboxes() throws {
        let registry = try Registry(path: directory.registry)
        func register(_ id: String, _ cgroups: [String]) throws {
            let sandbox = Sandbox.sample(id)
            var workload = sandbox.workload("c-\(id)")
            workload.cgroups = cgroups
            try registry.register(sandbox, [workload])
        }
        try register("same", ["/cg/x"])
        try register("beneath", ["/cg/x/inner"])
        try register("above", ["/cg"])
        try register("beside", ["/cg/xy", "/cg/w"])
        let found = try registry.sharers(of: ["/cg/x", "/other"], besides: "c-same")
        #expect(
            Set(found.map { "\($0.path) \($0.container) \($0.theirs)" })
                == ["/cg/x c-beneath /cg/x/inner", "/cg/x c-above /cg"])
        #expect(try registry.sharers(of: [], besides: "c-same").isEmpty)
    }

    @Test func aSharedCgroupGoesToWhoLivesInItStill() throws {
        let registry = try Registry(path: directory.registry)
        for id in ["a", "b"] {
            let sandbox = Sandbox.sample(id)
            var workload = sandbox.workload("c-\(id)")
            workload.cgroups = ["/cg/\(id)"]
            try registry.register(sandbox, [workload])
        }
        let identity = FileIdentity(device: 1, inode: 2, birth: 0)
        for _ in 0..<2 { try registry.bequeathCgroup("/cg/a", identity, to: "c-b") }
        try registry.bequeathCgroup("/cg/b", identity, to: "c-b")
        try registry.bequeathCgroup("/cg/b", identity, to: "nobody")
        let inherited = try registry.inheritedCgroups(of: "c-b")
        #expect(inherited.map(\.path) == ["/cg/a"] && inherited.map(\.identity) == [identity])
        #expect(try registry.containers(of: "b").first?.cgroups == ["/cg/b"], "what lives in it is not its own")
        try registry.verify()
    }

    @Test func cgroupsThatCameLaterAreRecordedOnce() throws {
        let registry = try Registry(path: directory.registry)
        let sandbox = Sandbox.sample("a")
        var workload = sandbox.workload("c-a")
        workload.cgroups = []
        try registry.register(sandbox, [workload])
        let identity = FileIdentity(device: 1, inode: 2, birth: 0)
        for _ in 0..<2 { try registry.recordCgroups(["/cg/a": identity], of: "c-a") }
        try registry.recordCgroups(["/cg/x": identity], of: "nobody")
        let container = try #require(try registry.containers(of: "a").first)
        #expect(container.cgroups == ["/cg/a"] && container.identity.cgroups == ["/cg/a": identity])
        #expect(try registry.sharers(of: ["/cg/a", "/cg/x"], besides: "").map(\.container) == ["c-a"])
    }
}
