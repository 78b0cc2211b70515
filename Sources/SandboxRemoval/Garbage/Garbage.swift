public import FoundationEssentials
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
public import SandboxRegistry

/// Something beneath the helper's roots that may be left of a pod.
public struct GarbageItem: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case namespace(NamespaceKind)
        case directory
        /// A mount that no listed directory contains.
        case mount
        /// A container of this runtime, and whether it is stopped.
        case container(runtime: String, stopped: Bool)
        case cgroup
        /// A shim or conmon of which nothing else is left.
        case monitor(program: String, pid: Int32, startTime: UInt64)
    }

    /// Whether processes are in the item, as far as this user can know.
    public enum Use: Sendable, Equatable {
        case none
        case processes([Int32])
        case unknown(String)
    }

    public var kind: Kind
    /// An absolute path; for a runtime's container, the path of its state directory, and for a monitor, its directory in
    /// /proc.
    public var path: String
    /// When the item was created; nil if unknown.
    public var created: Date?
    /// Tells the item from another that takes its place later.
    public var identity: FileIdentity?
    /// For a directory, the topmost mount of each place in it; for a mount, the mount itself; each with its id.
    public var mounts: [MountedPlace]
    public var use: Use
    /// Why the item may belong to another program, whatever else is known; nil if nothing indicates that.
    public var foreign: String?
    /// For a container, the sandbox that its annotations name; for a monitor, the containers on its command line.
    public var relatives: [String] = []

    public init(
        _ kind: Kind, _ path: String, created: Date?, identity: FileIdentity? = nil, mounts: [MountedPlace] = [],
        use: Use = .none, foreign: String? = nil
    ) {
        self.kind = kind
        self.path = path
        self.created = created
        self.identity = identity
        self.mounts = mounts
        self.use = use
        self.foreign = foreign
    }

    /// The ids that the item relates to: those in its path, its own name, and its sandbox's id.
    var ids: [String] {
        var found = relatives + ContainerID.all(in: path)
        switch kind {
        case .container, .directory: if !found.contains(name) { found.append(name) }
        case .namespace, .mount, .cgroup, .monitor: break
        }
        return found
    }

    /// Why other items with the same id are not garbage either; nil if this item is not in use.
    var busy: String? {
        if case .container(_, stopped: false) = kind { return "the container \(name) lives" }
        guard case .processes(let pids) = use, let pid = pids.first else { return nil }
        if case .namespace = kind { return nil }
        return "\(path) has the same id and is in use by process \(pid)"
    }

    var isMonitor: Bool { if case .monitor = kind { true } else { false } }

    /// The last component of the path.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// The kind's name, for programs and tables.
    public var kindName: String {
        switch kind {
        case .namespace(let kind): "\(kind.rawValue)-namespace"
        case .directory: "directory"
        case .mount: "mount"
        case .container: "container"
        case .cgroup: "cgroup"
        case .monitor: "monitor"
        }
    }
}

/// A mount, as the helper saw it.
public struct MountedPlace: Sendable, Equatable {
    public var path: [UInt8]
    public var id: UInt64
    public var unique: Bool

    public init(_ path: [UInt8], id: UInt64, unique: Bool) {
        self.path = path
        self.id = id
        self.unique = unique
    }
}

/// A container that lives according to its runtime.
public struct LivingContainer: Sendable, Equatable {
    public var id: String
    /// The sandbox that the container's annotations name.
    public var sandbox: String?
    public var bundle: String
    public var rootfs: String
    public var pid: Int32

    public init(id: String, sandbox: String? = nil, bundle: String = "", rootfs: String = "", pid: Int32) {
        self.id = id
        self.sandbox = sandbox
        self.bundle = bundle
        self.rootfs = rootfs
        self.pid = pid
    }
}

/// All facts that a decision about garbage depends on, at one moment.
public struct GarbageFacts: Sendable {
    public var items: [GarbageItem] = []
    public var living: [LivingContainer] = []
    public var records: [(sandbox: Sandbox, containers: [Container])] = []
    /// Roots and runtimes that could not be observed, in words; nothing beneath them is among the items.
    public var problems: [String] = []
    public var claims = GarbageClaims()
    /// What was seen of all processes; shared by the removals.
    let scan = LatestGarbageScan()
    public var now = Date()
    /// nil if unknown.
    public var sinceBoot: Duration?
    /// The times since boot at which the clock was set forward.
    public var jumps: [ClockJump] = []

    public init() {}
}

/// The decision about one item.
public struct GarbageVerdict: Sendable, Equatable {
    public enum Decision: Sendable, Equatable {
        /// The item belongs to a registered sandbox, so it is not garbage.
        case known
        case keep(String)
        case remove(String)
    }

    public var item: GarbageItem
    public var decision: Decision
    /// nil if unknown.
    public var age: Duration?
}

extension GarbageFacts {
    /// Decides on every item, in the order in which they can be removed: containers, cgroups, mounts, directories,
    /// namespaces.
    ///
    /// A pure function. When in doubt, it keeps an item.
    ///
    /// - Parameter bound: The least age; nothing younger is removed.
    public func judge(olderThan bound: Duration) -> [GarbageVerdict] {
        items.sorted { ($0.order, $0.path) < ($1.order, $1.path) }.map { item in
            let age = item.created.map { self.age(of: item, created: $0) }
            return GarbageVerdict(item: item, decision: decide(item, age, bound), age: age)
        }
    }

    /// The item's age. Setting the clock forward makes nothing older, and an item that does not outlive a
    /// boot is no older than the boot.
    private func age(of item: GarbageItem, created: Date) -> Duration {
        let shown = Duration(recordedSeconds: now.timeIntervalSince(created))
        guard shown >= .zero else { return shown }
        let jumped = jumps.filter { created <= $0.before }.reduce(.zero) { $0 + $1.length }
        let age = max(.zero, shown - jumped)
        guard !item.outlivesBoot, let sinceBoot else { return age }
        return min(age, sinceBoot)
    }

    private func decide(_ item: GarbageItem, _ age: Duration?, _ bound: Duration) -> GarbageVerdict.Decision {
        if isRegistered(item) { return .known }
        if case .container(_, stopped: false) = item.kind {
            return .keep("it lives; ask whoever made it, or register it and remove it")
        }
        if let container = living.first(where: { item.belongs(to: $0) }) {
            return .keep("the container \(container.id) lives (process \(container.pid)) and needs it")
        }
        if let foreign = item.foreign { return .keep(foreign) }
        switch item.use {
        case .none: break
        case .processes(let pids):
            let list = pids.prefix(5).map(String.init).joined(separator: ", ") + (pids.count > 5 ? ", …" : "")
            return .keep("in use by \(pids.count == 1 ? "process" : "processes") \(list)")
        case .unknown(let reason): return .keep(reason)
        }
        if let reason = claims.reason(for: item) { return .keep(reason) }
        guard item.identity != nil || !item.hasFileIdentity else { return .keep("it could not be identified") }
        guard let age else { return .keep("its age is unknown") }
        guard age >= .zero else { return .keep("it was made in the future: the clock was set") }
        guard age >= bound else { return .keep("younger than \(bound.formattedSeconds)") }
        return .remove(item.reason)
    }

    /// Whether a registered sandbox names the item, owns what is in it, or has its id.
    private func isRegistered(_ item: GarbageItem) -> Bool {
        records.contains { sandbox, containers in
            if ([sandbox.id] + containers.map(\.id)).contains(where: { item.hasID($0) }) { return true }
            // A closed pin is gone, so whatever lies at its path now belongs to something else.
            let pins = sandbox.namespaces.filter { !$0.closed }
            if case .namespace = item.kind, let identity = item.identity,
                pins.contains(where: { $0.identity?.inode == identity.inode })
            {
                return true
            }
            let paths =
                [sandbox.directory] + [sandbox.shm].compactMap { $0 } + pins.map(\.path) + sandbox.cgroups.map(\.path)
                + containers.flatMap { $0.directories.map(\.path) + $0.cgroups }
            return paths.contains { isBeneath($0, item.path) || isBeneath(item.path, $0) }
        }
    }
}

extension GarbageItem {
    /// Directories may lie on a disk, so they outlive a boot.
    fileprivate var outlivesBoot: Bool { kind == .directory }

    /// Whether it is a file, so that its identity tells it from a later one. Mounts and processes have their own.
    fileprivate var hasFileIdentity: Bool {
        switch kind {
        case .mount, .monitor: false
        case .container, .cgroup, .directory, .namespace: true
        }
    }

    /// A monitor's cgroup is free once it has ended; a container's cgroups, mounts and directories, once it is gone.
    fileprivate var order: Int {
        switch kind {
        case .monitor: -1
        case .container: 0
        case .cgroup: 1
        case .mount: 2
        case .directory: 3
        case .namespace: 4
        }
    }

    fileprivate var reason: String {
        switch kind {
        case .container: "stopped, and no registered sandbox has it"
        case .cgroup: "empty, and no registered sandbox has it"
        case .mount: "no registered sandbox has it, and no living container needs it"
        case .directory where !mounts.isEmpty:
            "no registered sandbox has it, and no living container needs it; \(mounts.count) mounted in it"
        case .directory: "no registered sandbox has it, and no living container needs it"
        case .namespace: "no process lives in it, and no registered sandbox has it"
        case .monitor(let program, _, _):
            "\(program) waits for \(relatives.joined(separator: ", ")), of which nothing is left, and nobody ends it"
        }
    }

    /// Whether the item is named after a container or sandbox: by its id alone, or, for a cgroup, by a name that
    /// contains the id.
    fileprivate func hasID(_ id: String) -> Bool {
        if case .monitor = kind { return relatives.contains(id) }
        if name == id || kind == .cgroup && id.utf8.count >= 32 && name.contains(id) { return true }
        // Matches items that lie deeper, in a directory named after the id.
        return path.split(separator: "/").contains { $0 == id }
    }

    fileprivate func belongs(to container: LivingContainer) -> Bool {
        if hasID(container.id) || container.sandbox.map(hasID) == true { return true }
        return [container.bundle, container.rootfs].contains { place in
            !place.isEmpty && (isBeneath(path, place) || isBeneath(place, path))
        }
    }
}
