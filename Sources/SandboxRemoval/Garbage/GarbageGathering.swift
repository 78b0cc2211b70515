internal import EventLoop
import FoundationEssentials
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

/// Observes, through a helper, everything in the places where remains of pods can lie.
struct GarbageGathering {
    let helpers: HelperSession
    private let welcome: Welcome
    private let roots: RootMap
    private let mounts: MountTable
    private let managers: ForeignManagers
    private let users = NamespaceUsersByKind()
    let began = ContinuousClock.now
    private(set) var facts = GarbageFacts()
    private var evidence: GarbageEvidence {
        GarbageEvidence(helpers: helpers, roots: roots, mounts: mounts, time: time)
    }
    private let time: CallTime

    /// DT_DIR and DT_UNKNOWN of readdir(3).
    private static let (directoryType, unknownType): (UInt8, UInt8) = (4, 0)

    init(_ helpers: HelperPool, _ time: CallTime) async throws(RemovalError) {
        self.time = time
        self.helpers = try await time.session(helpers)
        welcome = self.helpers.welcome
        roots = RootMap(welcome)
        do throws(ObservationError) {
            (mounts, managers) = try await Threads.looking.run { () throws(ObservationError) in
                (try MountTable.current(), try ForeignManagers.running())
            }
        } catch {
            throw .observation(error)
        }
    }

    mutating func gather() async throws(RemovalError) {
        for index in welcome.runtimes.indices { try await addContainers(UInt8(index)) }
        for (index, root) in welcome.roots.enumerated() {
            let path = text(roots.canonical(root.path.array))
            if let kind = NamespaceKind(root.kind) {
                try await addNamespaces(kind, UInt8(index), root, path)
            } else {
                try await addDirectories(Place(root: UInt8(index)), root, path)
            }
        }
        try await addLoneMounts()
        spreadStorages()
        facts.items += try await GarbageItem.leftMonitors(beside: facts, managers)
        facts.claims = try claims(on: facts.items)
        var bare = self
        bare.facts = GarbageFacts()
        facts.scan.keep(GarbageScan(gathering: bare, claims: facts.claims))
    }

    /// Whether processes are in the item now: in a container, whatever its runtime calls it, in a cgroup or in a
    /// namespace.
    func use(of item: GarbageItem) async throws(RemovalError) -> GarbageItem.Use {
        if case .container(let runtime, stopped: true) = item.kind {
            guard let target = try? roots.target(item.name, runtime: runtime) else { return item.use }
            return try await evidence.use(of: item.name, runtime: runtime, target)
        }
        do throws(ObservationError) {
            if item.kind == .cgroup {
                let members = try Cgroup.members(of: [item.path])
                return members.isEmpty ? item.use : .processes(members)
            }
            guard case .namespace(let kind) = item.kind, let inode = item.identity?.inode else { return item.use }
            return try users.of(kind).use(of: inode)
        } catch {
            throw .observation(error)
        }
    }

    /// The current evidence that the items have an owner.
    func claims(on items: [GarbageItem]) throws(RemovalError) -> GarbageClaims {
        let known =
            welcome.roots.map { text(roots.canonical($0.path.array)) }
            + welcome.runtimes.map { text($0.stateRoot.array) }
        do throws(ObservationError) {
            return try .observe(items, in: .ofNode(serviceManager: helpers.serviceManager)) { root in
                known.contains { isBeneath($0, root) || isBeneath(root, $0) }
            }
        } catch {
            throw .observation(error)
        }
    }

    // MARK: Runtimes

    private mutating func addContainers(_ index: UInt8) async throws(RemovalError) {
        let runtime = welcome.runtimes[Int(index)]
        let name = text(runtime.name.array)
        let reply = try await ask(.runtimeList(runtime: index))
        guard case .runtime(let answer) = reply.facts, reply.outcome == .done, case .inline(let output) = answer.output,
            let listed = RuntimeListing(output)
        else {
            // Without this list it is unknown which directories living containers need, so nothing may be called
            // garbage.
            throw .invalid(
                field: "runtime \(name)",
                problem: reply.isSuccess
                    ? "the list that it prints is not understood" : StepFailure(reply, of: "\(name) list").reason)
        }
        for container in listed.containers {
            if !container.isStopped {
                facts.living.append(container.living(as: container.pid))
            }
            let path = "\(text(runtime.stateRoot.array))/\(container.id)"
            var item = GarbageItem(
                .container(runtime: name, stopped: container.isStopped), path,
                created: container.created.flatMap { Date(rfc3339: $0) }, foreign: claim(path))
            if let target = try? roots.target(container.id, runtime: name),
                let state = try await ask(.runtimeDelete(target, .look)).facts.stateDirectory
            {
                item.identity = FileIdentity(state)
                if container.isStopped {
                    item.use = try await evidence.use(of: container.id, runtime: name, target)
                    // Processes live in it, so what it needs counts as in use, just as if its runtime called it
                    // running.
                    if case .processes(let pids) = item.use { facts.living.append(container.living(as: pids.first)) }
                }
            }
            item.relatives = [container.sandbox].compactMap { $0 }
            if item.foreign == nil, container.isContainersStorages {
                item.foreign = "its bundle is containers-storage's; crio or podman know what is in use"
            }
            facts.items.append(item)
        }
    }

    // MARK: Namespaces

    private mutating func addNamespaces(
        _ kind: NamespaceKind, _ index: UInt8, _ root: Welcome.Root, _ path: String
    ) async throws(RemovalError) {
        let children = try await children(of: Place(root: index), path)
        if children.isEmpty { return }
        let users: NamespaceUsers
        do throws(ObservationError) {
            users = try await Threads.looking.run { [all = self.users] () throws(ObservationError) in try all.of(kind) }
        } catch {
            throw .observation(error)
        }
        for child in children.map(\.name) {
            let place = "\(path)/\(child)"
            // A name that no pod can have is not reported.
            guard let target = try? roots.place(place, for: .deleteNamespace, in: [root.kind]),
                case .namespace(let identity, let mounted) = try await ask(.deleteNamespace(target, .look)).facts
            else { continue }
            facts.items.append(
                GarbageItem(
                    .namespace(kind), place, created: changeTime(place), identity: FileIdentity(identity),
                    use: mounted ? users.use(of: identity.inode) : .none, foreign: claim(place, isNamespace: true)))
        }
    }

    // MARK: Directories

    /// Adds directories at the depths where removal is allowed. In a cgroup root, and in a root whose depth exceeds 1,
    /// much belongs to no pod. There, only names that contain a container id are added, as CRI runtimes make them.
    private mutating func addDirectories(
        _ place: Place, _ root: Welcome.Root, _ path: String
    ) async throws(RemovalError) {
        let children = try await children(of: place, path)
        let storage =
            children.contains { ["containers.json", "volatile-containers.json"].contains($0.name) }
            // Overlay layers, which stopped containers have too.
            || path.hasSuffix("/overlay") && children.contains { $0.name == "l" }
        for name in children.filter(\.mayBeDirectory).map(\.name) {
            var child = place
            guard (try? child.append(Array(name.utf8))) != nil else { continue }
            let isDeepEnough = child.depth >= Int(root.minimumDepth)
            let isPod = Self.holdsID(name) || root.kind != .cgroup && root.maximumDepth == 1
            if isDeepEnough, isPod {
                try await addDirectory(
                    child, root, "\(path)/\(name)",
                    storage ? Self.storages : nil)
            } else if child.depth < Int(root.maximumDepth) {
                try await addDirectories(child, root, "\(path)/\(name)")
            }
        }
    }

    private mutating func addDirectory(
        _ place: Place, _ root: Welcome.Root, _ path: String, _ storage: String?
    ) async throws(RemovalError) {
        let reply = try await ask(.removeDirectory(place, .look(cursor: 0)))
        // A file is not an item, and a mount at this very path is listed as an item of its own.
        guard case .directory(let found) = reply.facts else { return }
        var item = GarbageItem(
            root.kind == .cgroup ? .cgroup : .directory, path, created: nil, identity: FileIdentity(found.identity),
            foreign: storage ?? claim(path))
        item.created = found.identity.created ?? changeTime(path)
        if root.kind == .cgroup {
            do throws(ObservationError) {
                let members = try Cgroup.members(of: [path])
                item.use = members.isEmpty ? .none : .processes(members)
            } catch {
                item.use = .unknown("\(error)")
            }
        } else {
            for point in mounts.outermost(beneath: Array(path.utf8)) {
                guard let mounted = try await mounted(point) else {
                    item.use = .unknown("what is mounted at \(printable(point)) cannot be looked at")
                    break
                }
                item.mounts.append(mounted)
            }
        }
        facts.items.append(item)
    }

    private static let storages = "the directory is containers-storage's; crio or podman know what is in use"

    /// Whatever has the id of something in a containers-storage belongs to that storage, such as a container's directory
    /// beneath its run root, where no file says so.
    private mutating func spreadStorages() {
        let stored = Set(facts.items.filter { $0.foreign == Self.storages }.flatMap(\.ids))
        for index in facts.items.indices where facts.items[index].foreign == nil {
            if !stored.isDisjoint(with: facts.items[index].ids) { facts.items[index].foreign = Self.storages }
        }
    }

    /// Whether a name contains a run of 64 hexadecimal digits.
    static func holdsID(_ name: String) -> Bool { !ContainerID.all(in: name).isEmpty }

    // MARK: Mounts

    /// Adds mounts that may be detached and lie in no listed directory, such as that of a containers-storage layer.
    private mutating func addLoneMounts() async throws(RemovalError) {
        let directories = facts.items.filter { $0.kind == .directory }.map { Array($0.path.utf8) }
        for root in welcome.roots where root.kind == .sandbox || root.kind == .container {
            let path = roots.canonical(root.path.array)
            for point in mounts.outermost(beneath: path + [UInt8(ascii: "/")])
            where point.count > path.count && !directories.contains(where: { isBeneath($0, point) }) {
                guard !facts.items.contains(where: { Array($0.path.utf8) == point }),
                    let name = String(validating: point, as: UTF8.self), let mounted = try await mounted(point)
                else { continue }
                facts.items.append(
                    GarbageItem(
                        .mount, name, created: try await birthOfParent(name), mounts: [mounted], foreign: claim(name)))
            }
        }
    }

    /// nil if the policy does not allow that place, or if the helper cannot reach it.
    private func mounted(_ point: [UInt8]) async throws(RemovalError) -> MountedPlace? {
        guard let place = try? roots.place(point, for: .unmount, in: [.sandbox, .container]),
            let identity = try await ask(.unmount(place, .look)).facts.mountIdentity
        else { return nil }
        return MountedPlace(point, id: identity.id, unique: identity.unique)
    }

    /// A mount has no creation time of its own, but it is no older than the directory that holds it.
    private func birthOfParent(_ path: String) async throws(RemovalError) -> Date? {
        let parent = path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
        for (index, root) in welcome.roots.enumerated() {
            let rootPath = text(roots.canonical(root.path.array))
            guard root.kind == .sandbox || root.kind == .container, isBeneath(rootPath, parent) else { continue }
            let components = parent.dropFirst(rootPath.count).split(separator: "/").map { Array($0.utf8) }
            guard let place = try? Place(root: UInt8(index), components: components),
                case .directory(let found) = try await ask(.removeDirectory(place, .look(cursor: 0))).facts,
                let created = found.identity.created
            else { continue }
            return created
        }
        return nil
    }

    // MARK: Requests to the helper

    /// An entry of a directory.
    private struct Child {
        var name: String
        /// False if the directory entry says that it is a file, a link or the like.
        var mayBeDirectory: Bool
    }

    /// The names in a directory that are valid UTF-8, from all pages. A root that does not exist has none, and neither
    /// has a non-directory: beneath a root that is several levels deep, files can lie on the way.
    private mutating func children(of place: Place, _ path: String) async throws(RemovalError) -> [Child] {
        var found: [Child] = []
        var cursor: UInt64 = 0
        repeat {
            let reply = try await ask(.removeDirectory(place, .look(cursor: cursor)))
            guard case .directory(let page) = reply.facts else {
                if !reply.isSuccess, !(place.depth > 0 && reply.outcome.isNotDirectory) {
                    facts.problems.append("\(path): \(StepFailure(reply).reason)")
                }
                return found
            }
            found += page.children.compactMap { child in
                String(validating: child.name, as: UTF8.self).map {
                    Child(name: $0, mayBeDirectory: [Self.directoryType, Self.unknownType].contains(child.type))
                }
            }
            cursor = page.next
        } while cursor != 0
        return found.sorted { $0.name < $1.name }
    }

    private func ask(_ request: Request) async throws(RemovalError) -> Reply {
        try await time.look(request, helpers, "the answer to a look at what is left")
    }

    private func claim(_ path: String, isNamespace: Bool = false) -> String? {
        managers.claim(on: path, isNamespace: isNamespace)
    }

    /// When a pin or a cgroup was created: neither has a birth time, and only its creation changes its modification
    /// time.
    private func changeTime(_ path: String) -> Date? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension Outcome {
    fileprivate var isNotDirectory: Bool {
        guard case .refused(.notDirectory, _) = self else { return false }
        return true
    }
}

extension NodeIdentity {
    /// nil if the filesystem does not know.
    fileprivate var created: Date? { birth == 0 ? nil : Date(timeIntervalSince1970: Double(birth) / 1e9) }
}
