import Foundation
import Testing

@testable import SandboxRegistry

@Suite("Registering and reading")
struct RegistryTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = try Registry(path: directory.registry)
    }

    @Test func recordsReadBackEqual() throws {
        let sandbox = Sandbox.sample("a")
        let containers = [sandbox.workload("c1"), sandbox.infra, sandbox.workload("c0")]
        try registry.register(sandbox, containers)
        #expect(try registry.sandboxes() == [sandbox])
        #expect(try registry.sandbox("a") == sandbox)
        #expect(try registry.containers(of: "a") == containers)
        #expect(try registry.containers(of: "b").isEmpty)
        // From the file, too.
        let again = try Registry(path: directory.registry)
        #expect(try again.sandboxes() == [sandbox])
        #expect(try again.containers(of: "a") == containers)
        try again.verify()
    }

    @Test func aSandboxWithNothingOptionalReadsBackEqual() throws {
        let sandbox = Sandbox(
            id: "a", metadata: PodMetadata(name: "n", namespace: "s", uid: "u", attempt: .max), createdAt: Date(),
            state: .notReady, runtime: "runc", directory: "/run/a", shm: "/dev/shm")
        try registry.register(sandbox, [])
        #expect(try registry.sandboxes() == [sandbox])
        #expect(sandbox.usesHostShm)
    }

    @Test func sandboxesAreFoundByAnyBeginning() throws {
        for id in ["abc", "abd", "ab", "zz"] { try registry.register(.sample(id), []) }
        #expect(try registry.resolve("z", .any)?.id == "zz")
        #expect(try registry.resolve("abd", .any)?.id == "abd")
        #expect(try registry.resolve("ab", .any)?.id == "ab", "the id itself wins over longer ones")
        #expect(try registry.resolve("x", .any) == nil)
        #expect(try registry.resolve("abcd", .any) == nil)
        let error = #expect(throws: RegistryError.self) { try registry.resolve("a", .any) }
        #expect(error == .ambiguous(prefix: "a", candidates: ["ab", "abc", "abd"]))
        #expect(error?.description == "the id a is ambiguous; it could be ab, abc, abd")
    }

    @Test func candidatesAreBounded() throws {
        for number in 10..<40 { try registry.register(.sample("p\(number)"), []) }
        let error = #expect(throws: RegistryError.self) { try registry.resolve("p", .any) }
        guard case .ambiguous(_, let candidates) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(candidates.count == Registry.maximumCandidates)
        #expect(error?.description.hasSuffix("p25, …") == true)
    }

    @Test(arguments: [
        "", "/", "..", ".", "-a", "a/b", "a\u{0}", "é", "a b", "a%", "a*", "a'", String(repeating: "a", count: 129),
    ])
    func whatIsNoIDIsRefused(id: String) throws {
        let error = #expect(throws: RegistryError.self) { try registry.sandbox(id) }
        guard case .invalidID(id, _) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(error?.description.contains(RecordRules.idRule) == true)
        #expect(throws: RegistryError.self) { try registry.register(.sample(id), []) }
        #expect(try registry.sandboxes().isEmpty)
    }

    @Test func aHeldIDOrNameNamesItsHolderAndChangesNothing() throws {
        let first = Sandbox.sample("first")
        try registry.register(first, [first.infra, first.workload("c1", name: "app")])

        #expect(throws: RegistryError.idHeld(.sandbox, id: "first", pod: "pod-first_default_uid-first_3")) {
            try registry.register(.sample("first"), [])
        }
        var second = Sandbox.sample("second")
        second.metadata = first.metadata
        let error = #expect(throws: RegistryError.self) { try registry.register(second, []) }
        #expect(error == .nameHeld(.sandbox, name: "pod-first_default_uid-first_3", holder: "first"))
        #expect(
            error?.description
                == #"the name "pod-first_default_uid-first_3" is held by the sandbox first; remove it first"#)

        let third = Sandbox.sample("third")
        #expect(throws: RegistryError.idHeld(.container, id: "c1", pod: "pod-first_default_uid-first_3")) {
            try registry.register(third, [third.workload("c0"), third.workload("c1")])
        }
        #expect(
            throws: RegistryError.nameHeld(.container, name: "app_pod-first_default_uid-first_1", holder: "c1")
        ) {
            try registry.register([first.workload("c2", name: "app")], into: "first")
        }
        var infra = first.infra
        infra.id = "other"
        infra.attempt = 9
        infra.directories = []
        #expect(throws: RegistryError.nameHeld(.container, name: "POD_\(first.metadata.reservedName)", holder: "first"))
        {
            try registry.register([infra], into: "first")
        }
        #expect(try registry.sandboxes().map(\.id) == ["first"])
        #expect(try registry.containers(of: "first").map(\.id) == ["first", "c1"])
        try registry.register(third, [third.workload("c0")])
    }

    @Test func pathsOfAnotherSandboxAreRefused() throws {
        try registry.register(.sample("a"), [])
        for path in ["/run/pods/a", "/run/pods", "/run/pods/a/inner/most", "/run/netns/a"] {
            var other = Sandbox.sample("b")
            other.directory = path
            let error = #expect(throws: RegistryError.self) { try registry.register(other, []) }
            guard case .pathHeld(path, _, "a") = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
        }
        var other = Sandbox.sample("b")
        other.directory = "/run/pods/a.b"
        var workload = other.workload("c")
        workload.directories.append(Container.Directory(path: "/run/utsns/a"))
        #expect(throws: RegistryError.pathHeld(path: "/run/utsns/a", by: "/run/utsns/a", holder: "a")) {
            try registry.register(other, [workload])
        }
        // The host's shm is shared, a closed namespace's path free.
        try registry.closeNamespace("/run/netns/a", of: "a")
        other.shm = Sandbox.hostShm
        other.namespaces = [NamespacePin(kind: .network, path: "/run/netns/a")]
        try registry.register(other, [])
        var third = Sandbox.sample("c")
        third.shm = Sandbox.hostShm
        try registry.register(third, [])
    }

    @Test func recordsOfALibrarysCallerAreCheckedToo() throws {
        var sandbox = Sandbox.sample("a")
        sandbox.directory = "/run/../etc"
        let error = #expect(throws: RegistryError.self) { try registry.register(sandbox, []) }
        #expect(error?.description.hasPrefix(#"sandbox.directory: "/run/../etc" has a component"#) == true)
        sandbox = .sample("a")
        var stranger = Sandbox.sample("b").workload("c")
        #expect(throws: RegistryError.self) { try registry.register(sandbox, [stranger]) }
        stranger.sandboxID = "a"
        stranger.stopSignal = 0
        #expect(throws: RegistryError.self) { try registry.register(sandbox, [stranger]) }
        var second = sandbox.infra
        second.id = "infra2"
        #expect(throws: RegistryError.invalidRecord(field: "infra", problem: "is given twice; a pod has one")) {
            try registry.register(sandbox, [sandbox.infra, second])
        }
        sandbox.namespaces.append(NamespacePin(kind: .network, path: "/run/netns/other"))
        #expect(throws: RegistryError.invalidRecord(field: "sandbox.namespaces.network", problem: "is given twice")) {
            try registry.register(sandbox, [])
        }
        #expect(try registry.sandboxes().isEmpty)
        #expect(try registry.levelsInUse().isEmpty)
    }
}
