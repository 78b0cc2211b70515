import Foundation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// What is garbage: a pure decision. Everything here is old and unused unless a test says otherwise.
struct GarbageTests {
    private static let now = Date(timeIntervalSince1970: 1_000_000)
    private static let old = now.addingTimeInterval(-7200)
    private static let identity = FileIdentity(device: 1, inode: 42, birth: 3)
    private static let id = String(repeating: "a1", count: 32)

    private static let items: [GarbageItem] = [
        GarbageItem(.container(runtime: "runc", stopped: true), "/run/runc/\(id)", created: old, identity: identity),
        GarbageItem(.cgroup, "/sys/fs/cgroup/pods/crio-\(id).scope", created: old, identity: identity),
        GarbageItem(
            .mount, "/var/lib/overlay/layer/merged", created: old,
            mounts: [MountedPlace(Array("/var/lib/overlay/layer/merged".utf8), id: 7, unique: true)]),
        GarbageItem(.directory, "/run/pods/\(id)", created: old, identity: identity),
        GarbageItem(.namespace(.network), "/run/netns/cni-x", created: old, identity: identity),
        GarbageItem(.namespace(.ipc), "/run/ipcns/cni-x", created: old, identity: identity),
    ]

    private func judge(
        _ item: GarbageItem, olderThan seconds: Double = 3600, _ change: (inout GarbageFacts) -> Void = { _ in }
    ) -> GarbageVerdict.Decision {
        var facts = GarbageFacts()
        facts.items = [item]
        facts.now = Self.now
        change(&facts)
        return facts.judge(olderThan: .seconds(seconds))[0].decision
    }

    private func isKept(_ decision: GarbageVerdict.Decision, because words: String = "") -> Bool {
        if case .keep(let reason) = decision { return reason.contains(words) || words.isEmpty }
        return false
    }

    private func sandbox(
        id: String = "p", directory: String = "/run/pods/p", shm: String? = nil, pins: [NamespacePin] = []
    ) -> Sandbox {
        Sandbox(
            id: id, metadata: PodMetadata(name: "n", namespace: "d", uid: "u", attempt: 0), createdAt: Self.old,
            runtime: "runc", directory: directory, shm: shm, namespaces: pins)
    }

    @Test(arguments: items) func removedWhereNothingSpeaksForIt(_ item: GarbageItem) {
        let decision = judge(item)
        guard case .remove(let reason) = decision else {
            Issue.record("\(item.path): \(decision)")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test(arguments: items) func keptWhileYoung(_ item: GarbageItem) {
        #expect(isKept(judge(item, olderThan: 7201), because: "younger"))
        #expect(!isKept(judge(item, olderThan: 7200)))
        var item = item
        item.created = nil
        #expect(isKept(judge(item, olderThan: 0), because: "age is unknown"))
        item.created = Self.now.addingTimeInterval(1)
        #expect(isKept(judge(item, olderThan: 0), because: "future"))
    }

    /// A clock that is set forward makes nothing old.
    @Test(arguments: items) func aClockThatJumps(_ item: GarbageItem) {
        let jump = ClockJump(before: Self.now.addingTimeInterval(-7000), length: .seconds(3700))
        // Two hours by the clock, of which it has jumped over one.
        #expect(isKept(judge(item) { $0.jumps = [jump] }, because: "younger"))
        #expect(!isKept(judge(item, olderThan: 3400) { $0.jumps = [jump] }))
        // Made after it.
        #expect(!isKept(judge(item) { $0.jumps = [ClockJump(before: Self.old - 1, length: .seconds(3700))] }))
        // Before anybody could notice: what does not outlive a boot is no older than that.
        let young = judge(item) { $0.sinceBoot = .seconds(1000) }
        #expect(isKept(young, because: "younger") == (item.kind != .directory))
        #expect(!isKept(judge(item) { $0.sinceBoot = .seconds(7200) }))
    }

    @Test(arguments: items) func keptWhileInUseOrUnknown(_ item: GarbageItem) {
        var item = item
        item.use = .processes([1, 2])
        #expect(isKept(judge(item), because: "in use by processes 1, 2"))
        item.use = .unknown("cannot see")
        #expect(isKept(judge(item), because: "cannot see"))
        item.use = .none
        item.foreign = "containerd runs"
        #expect(isKept(judge(item), because: "containerd runs"))
    }

    @Test(arguments: items) func keptWithoutIdentity(_ item: GarbageItem) {
        var item = item
        item.identity = nil
        #expect(isKept(judge(item)) == (item.kind != .mount), "a mount has its own")
    }

    @Test(arguments: items.filter { $0.path.contains(id) }) func knownByTheId(_ item: GarbageItem) {
        #expect(judge(item) { $0.records = [(sandbox(id: Self.id), [])] } == .known)
        let container = Container(id: Self.id, sandboxID: "p", name: "c", createdAt: Self.old, runtime: "runc")
        #expect(judge(item) { $0.records = [(sandbox(), [container])] } == .known)
        // Cgroups have something around the id, so what could be one is taken for it.
        let prefix = judge(item) { $0.records = [(sandbox(id: String(Self.id.dropLast())), [])] }
        #expect((prefix == .known) == (item.kind == .cgroup))
    }

    @Test(arguments: items.filter { $0.path.contains(id) }) func keptForALivingContainer(_ item: GarbageItem) {
        #expect(
            isKept(judge(item) { $0.living = [LivingContainer(id: Self.id, pid: 9)] }, because: "lives (process 9)"))
        #expect(isKept(judge(item) { $0.living = [LivingContainer(id: "w", sandbox: Self.id, pid: 9)] }))
        #expect(!isKept(judge(item) { $0.living = [LivingContainer(id: "w", sandbox: "s", pid: 9)] }))
    }

    @Test func livingContainersAreNoGarbage() {
        let item = GarbageItem(
            .container(runtime: "runc", stopped: false), "/run/runc/x", created: Self.old, identity: Self.identity)
        #expect(isKept(judge(item, olderThan: 0), because: "it lives"))
    }

    @Test func bundlesAndRootfsOfTheLiving() {
        let directory = GarbageItem(.directory, "/run/pods/x", created: Self.old, identity: Self.identity)
        for (bundle, rootfs) in [
            ("/run/pods/x", ""), ("/run/pods/x/userdata", ""), ("", "/run/pods/x/rootfs"), ("/run/pods", ""),
        ] {
            #expect(
                isKept(
                    judge(directory) { $0.living = [LivingContainer(id: "w", bundle: bundle, rootfs: rootfs, pid: 1)] })
            )
        }
        for place in ["/run/pods/xy", "/run/podsx", "/run/other/x"] {
            #expect(!isKept(judge(directory) { $0.living = [LivingContainer(id: "w", bundle: place, pid: 1)] }))
        }
        let mount = Self.items[2]
        #expect(isKept(judge(mount) { $0.living = [LivingContainer(id: "w", rootfs: mount.path, pid: 1)] }))
    }

    @Test func pathsOfTheRegistered() {
        func known(_ path: String, _ sandbox: Sandbox, _ containers: [Container] = []) -> Bool {
            judge(GarbageItem(.directory, path, created: Self.old, identity: Self.identity)) {
                $0.records = [(sandbox, containers)]
            } == .known
        }
        #expect(known("/run/pods/p", sandbox()))
        #expect(known("/run/pods/p/inner", sandbox()), "what it contains")
        #expect(known("/run/pods", sandbox()), "what contains it")
        #expect(!known("/run/pods/pq", sandbox()))
        #expect(known("/run/shm/x", sandbox(shm: "/run/shm/x/shm")))
        var container = Container(id: "c", sandboxID: "p", name: "c", createdAt: Self.old, runtime: "runc")
        container.directories = [Container.Directory(path: "/run/ctr/c1/userdata")]
        container.cgroups = ["/sys/fs/cgroup/pods/x"]
        #expect(known("/run/ctr/c1", sandbox(), [container]))
        #expect(known("/sys/fs/cgroup/pods/x", sandbox(), [container]))
        #expect(!known("/run/ctr/c2", sandbox(), [container]))
    }

    @Test func namespacesOfTheRegistered() {
        let item = Self.items[4]
        func decide(_ pin: NamespacePin) -> GarbageVerdict.Decision {
            judge(item) { $0.records = [(sandbox(pins: [pin]), [])] }
        }
        #expect(decide(NamespacePin(kind: .network, path: item.path)) == .known)
        let elsewhere = NamespacePin(
            kind: .network, path: "/run/netns/y", identity: FileIdentity(device: 4, inode: 42, birth: 0))
        #expect(decide(elsewhere) == .known, "the same namespace at another place")
        #expect(decide(NamespacePin(kind: .network, path: "/run/netns/y")) != .known)
        #expect(
            decide(NamespacePin(kind: .network, path: item.path, closed: true)) != .known, "its own is deleted already")
    }

    @Test func monitorsOfTheRegistered() {
        var item = GarbageItem(.monitor(program: "conmon", pid: 5, startTime: 7), "/proc/5", created: Self.old)
        item.relatives = ["p", "c"]
        guard case .remove(let reason) = judge(item) else {
            Issue.record("nothing speaks for it")
            return
        }
        #expect(reason.contains("conmon waits for p, c,"))
        #expect(judge(item) { $0.records = [(sandbox(), [])] } == .known)
        #expect(judge(item) { $0.records = [(sandbox(id: "q"), [])] } != .known)
        #expect(isKept(judge(item) { $0.items[0].foreign = "crio runs" }, because: "crio"))
        #expect(isKept(judge(item) { $0.living = [LivingContainer(id: "c", pid: 9)] }, because: "lives"))
    }

    @Test func orderIsOfUse() {
        var facts = GarbageFacts()
        facts.items = Self.items.reversed()
        facts.now = Self.now
        #expect(
            facts.judge(olderThan: .zero).map(\.item.kindName) == [
                "container", "cgroup", "mount", "directory", "ipc-namespace", "network-namespace",
            ])
    }

    @Test func runningManagersClaimWhatIsTheirs() {
        let managers = ForeignManagers(running: [
            .init(name: "containerd", pid: 5), .init(name: "crio", pid: 6),
        ])
        #expect(
            managers.claim(on: "/run/containerd/x/y", isNamespace: false)
                == "containerd runs (process 5) and may know it")
        #expect(managers.claim(on: "/var/lib/containers/storage/overlay/x/merged", isNamespace: false) != nil)
        #expect(managers.claim(on: "/run/netns/cni-1", isNamespace: true) != nil)
        #expect(managers.claim(on: "/run/netns/2d18e2ac-1274-4aa2-9e77-4b6ca277dd3c", isNamespace: true) != nil)
        #expect(managers.claim(on: "/run/netns/sample-1", isNamespace: true) == nil)
        #expect(managers.claim(on: "/run/containerdx/y", isNamespace: false) == nil)
        #expect(ForeignManagers(running: []).claim(on: "/run/containerd/x", isNamespace: false) == nil)
    }

    @Test func namespaceUsers() {
        let users = NamespaceUsers([
            .init(pid: 1, namespace: nil, mark: 100), .init(pid: 2, namespace: 50, mark: 100),
            .init(pid: 3, namespace: 60, mark: 101), .init(pid: 4, namespace: nil, mark: 101),
        ])
        #expect(users.use(of: 50) == .processes([1, 2]), "who shares a mark shares the namespace")
        #expect(users.use(of: 60) == .processes([3, 4]))
        #expect(users.use(of: 70) == .none)
        for hidden in [
            NamespaceUsers.Process(pid: 5, namespace: nil, mark: 102), .init(pid: 5, namespace: nil, mark: nil),
        ] {
            let users = NamespaceUsers([.init(pid: 2, namespace: 50, mark: 100), hidden])
            #expect(users.use(of: 50) == .processes([2]))
            guard case .unknown = users.use(of: 70) else {
                Issue.record("a hidden process may live anywhere")
                continue
            }
        }
    }

    @Test func namesThatHoldAnId() {
        for name in [Self.id, "crio-\(Self.id)", "cri-containerd-\(Self.id).scope"] {
            #expect(GarbageGathering.holdsID(name))
        }
        for name in [
            "burstable", "podb1f2c3d4b1f2c3d4b1f2c3d4b1f2c3d4", "merged", String(Self.id.dropLast()), Self.id + "a", "",
        ] {
            #expect(!GarbageGathering.holdsID(name), "\(name)")
        }
    }

    @Test func runtimeLists() throws {
        #expect(RuntimeListing(Array("null".utf8))?.containers.isEmpty == true)
        #expect(RuntimeListing(Array("[]".utf8))?.containers.isEmpty == true)
        for garbage in ["", "{}", "[{}]", "no", #"[{"id":"x"}]"#] {
            #expect(RuntimeListing(Array(garbage.utf8)) == nil)
        }
        let text = #"""
            [{"ociVersion":"1","id":"w","pid":7,"status":"running","bundle":"/b","rootfs":"/r","created":"2026-01-01T00:00:00Z",
              "annotations":{"io.kubernetes.cri.sandbox-id":"s"},"owner":"root"}, {"id":"o","status":"stopped"}]
            """#
        let list = try #require(RuntimeListing(Array(text.utf8))).containers
        #expect(
            list[0].living(as: list[0].pid)
                == LivingContainer(id: "w", sandbox: "s", bundle: "/b", rootfs: "/r", pid: 7))
        #expect(!list[0].isStopped && list[1].isStopped)
    }
}
