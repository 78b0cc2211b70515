internal import Glibc
internal import LinuxSystem

/// Finds a container's processes among all of a node's: by the container's name in their cgroups' paths, and by its
/// files as their root directory.
public struct ContainerSearch: Sendable {
    /// Another container with the same id.
    public struct Namesake: Sendable {
        let cgroups: [String]
        /// When its init process began, in clock ticks after boot.
        let startTime: UInt64

        public init(cgroups: [String], startTime: UInt64) {
            self.cgroups = cgroups
            self.startTime = startTime
        }
    }

    private let id: String
    private let hierarchies: CgroupHierarchies
    private let cgroupRoots: [[UInt8]]
    /// Filesystems, and directories in them, that belong to the container: a process with one of them as its root
    /// belongs to it too.
    private let roots: [(device: Mount.Device, root: [UInt8])]
    /// The mount of the node's own root directory.
    private let host: Mount?
    private let table: MountTable
    /// The container's own directories as they were recorded, each with the directory that held it.
    private let recorded: [(parent: [UInt8], identity: Identity)]

    /// What tells a directory from another at its path.
    public struct Identity: Sendable {
        let inode, birth: UInt64

        /// - Parameter birth: 0 if unknown.
        public init(inode: UInt64, birth: UInt64) { (self.inode, self.birth) = (inode, birth) }
    }

    /// - Parameters:
    ///   - directories: The container's own directories.
    ///   - identities: By directory, what was recorded there. It is found again beside its place if somebody moved it.
    ///   - cgroupRoots: Directories beneath which pods' cgroups lie. A cgroup elsewhere may have the same name, and
    ///     belong to something else.
    ///   - table: The node's mounts.
    public init(
        id: String, directories: [String], identities: [String: Identity] = [:], cgroupRoots: [String],
        in table: MountTable
    ) {
        self.id = id
        self.table = table
        recorded = identities.map { path, identity in
            let path = Array(path.utf8)
            return (Array(path[..<(path.lastIndex(of: slash) ?? 0)]), identity)
        }
        hierarchies = CgroupHierarchies(table)
        self.cgroupRoots = cgroupRoots.map { Array($0.utf8) }
        var roots: [(device: Mount.Device, root: [UInt8])] = []
        let host = table.mounts.last { $0.mountPoint == [slash] }
        self.host = host
        for directory in directories {
            let path = Array(trimmed(Array(directory.utf8)))
            for mount in table.mounts(beneath: path) { roots.append((mount.device, mount.root)) }
            // The directory itself, by its path in its filesystem.
            if let around = table.mounts(onTheWayTo: path).last,
                let rest = remainder(of: path, beneath: trimmed(around.mountPoint)), !rest.isEmpty
            {
                roots.append((around.device, Array(trimmed(around.root)) + Array(rest)))
            }
        }
        // A mount of the node's own root directory tells nothing, because every process of the node has it as its root.
        self.roots = roots.filter { own in
            guard let host, host.device == own.device else { return true }
            return remainder(of: host.root, beneath: trimmed(own.root)) == nil
        }
    }

    /// The container's processes; nil if /proc hides processes, because a search would then prove nothing.
    ///
    /// - Parameter other: Another container that now has the same id, if there is one. A process that began in its
    ///   cgroups after it did belongs to it, although they have this container's name.
    public func processes(besides other: Namesake? = nil) throws(ObservationError) -> [Int32]? {
        guard Self.seesAll() else { return nil }
        var found: [Int32] = []
        for pid in try ProcessTable.pids() {
            if try isInNamedCgroup(pid, besides: other) {
                if try isAlive(pid) { found.append(pid) }
            } else if try hasOwnRoot(pid) {
                if try isAlive(pid) { found.append(pid) }
            }
        }
        return found
    }

    /// Those of these processes whose root belongs to the container, with their start times.
    public func owned(of pids: [Int32]) throws(ObservationError) -> [(pid: Int32, startTime: UInt64)] {
        var found: [(pid: Int32, startTime: UInt64)] = []
        for pid in pids {
            // The same before and after, so that it is this process's root that was looked at.
            guard let startTime = try ProcessStatus.startTime(of: pid), try hasOwnRoot(pid),
                try ProcessStatus.startTime(of: pid) == startTime
            else { continue }
            found.append((pid, startTime))
        }
        return found
    }

    /// Those of these processes that have neither the container's files as their root nor the node's, which a container's
    /// init has until it begins.
    public func others(among pids: [Int32]) throws(ObservationError) -> [Int32] {
        var found: [Int32] = []
        for pid in pids {
            guard let root = try root(of: pid), !isOwn(root), !isNodes(root) else { continue }
            found.append(pid)
        }
        return found
    }

    /// Whether /proc shows other users' processes (hidepid of proc(5)), such as process 1.
    public static func seesAll() -> Bool {
        let first = try? contents(of: Array("/proc/1/cgroup".utf8))
        return (first ?? nil)?.isEmpty == false
    }

    /// A process that has ended but is not reaped yet still shows its cgroup.
    private func isAlive(_ pid: Int32) throws(ObservationError) -> Bool {
        guard let process = try ProcessHandle(pid: pid) else { return false }
        return !process.isGone
    }

    private func isInNamedCgroup(_ pid: Int32, besides other: Namesake?) throws(ObservationError) -> Bool {
        // Most processes have no cgroup with such a name; only for those that have one is it checked where it lies.
        guard let bytes = try ofProcess(pid, "cgroup"), bytes.text.contains(id) else { return false }
        let began = other == nil ? nil : try ProcessStatus.startTime(of: pid)
        return try hierarchies.directories(of: pid).contains { directory in
            if let other, let began, began >= other.startTime,
                other.cgroups.contains(where: { isBeneath($0, directory) })
            {
                return false
            }
            let directory = Array(directory.utf8)
            return cgroupRoots.contains { root in
                let rest = remainder(of: directory, beneath: trimmed(root))
                return rest?.split(separator: slash).contains { Cgroup.isName(Array($0), of: id) } ?? false
            }
        }
    }

    private func hasOwnRoot(_ pid: Int32) throws(ObservationError) -> Bool {
        guard !roots.isEmpty || !recorded.isEmpty, let root = try root(of: pid) else { return false }
        return isOwn(root)
    }

    private func isOwn(_ root: Mount) -> Bool {
        if isNodes(root) { return false }
        return roots.contains { $0.device == root.device && remainder(of: root.root, beneath: trimmed($0.root)) != nil }
            || table.mounts.contains { mount in
                guard mount.device == root.device, let rest = remainder(of: root.root, beneath: trimmed(mount.root))
                else { return false }
                return isInRecordedDirectory(trimmed(mount.mountPoint) + rest)
            }
    }

    private func isNodes(_ root: Mount) -> Bool { root.device == host?.device && root.root == host?.root }

    private func isInRecordedDirectory(_ path: ArraySlice<UInt8>) -> Bool {
        recorded.contains { parent, identity in
            guard let name = remainder(of: Array(path), beneath: parent[...])?.split(separator: slash).first,
                let found = try? FileObservation.of((parent + [slash] + name).text)
            else { return false }
            return found.inode == identity.inode && (identity.birth == 0 || found.birth == identity.birth)
        }
    }

    /// mountinfo shows the mounts beneath the process's root, where the container's own rootfs is at `/`.
    private func root(of pid: Int32) throws(ObservationError) -> Mount? {
        var bytes = try ofProcess(pid, "mountinfo") ?? []
        // The first thread may have ended alone.
        if bytes.isEmpty, let thread = try ProcessStatus.of(pid: pid)?.livingThread(), thread != pid {
            bytes = try ofProcess(thread, "mountinfo") ?? []
        }
        if bytes.isEmpty { return nil }
        return try MountTable.parse(bytes).mounts.last { $0.mountPoint == [slash] }
    }

    /// nil if the process has ended meanwhile.
    private func ofProcess(_ pid: Int32, _ file: String) throws(ObservationError) -> [UInt8]? {
        do {
            return try contents(of: Array("/proc/\(pid)/\(file)".utf8))
        } catch .failed(_, _, let code) where code == EINVAL || code == EACCES || code == EPERM {
            // mountinfo of a process that is ending (EINVAL), or of one that a security module protects, which is no
            // container's.
            return nil
        }
    }
}
