internal import LinuxSystem

/// The mounts of one mount namespace, as one of its processes sees them.
public struct MountTable: Sendable {
    /// In the kernel's order: the oldest first.
    public let mounts: [Mount]

    /// Reads the text of a mountinfo file. Any bytes may be given.
    public static func parse(_ bytes: [UInt8]) throws(ObservationError) -> MountTable {
        try parse(bytes, file: "mountinfo")
    }

    /// The mounts that this process sees.
    public static func current() throws(ObservationError) -> MountTable {
        guard let table = try read("/proc/self/mountinfo") else {
            throw .malformed(file: "/proc/self/mountinfo", line: 1, expected: "to be there: is /proc mounted?")
        }
        return table
    }

    /// The mounts that another process sees; nil if there is no such process, or if it has ended.
    public static func of(pid: Int32) throws(ObservationError) -> MountTable? {
        guard let table = try read("/proc/\(pid)/mountinfo"), !table.mounts.isEmpty else { return nil }
        return table
    }

    /// The node's mounts: those that a service manager sees or, without one, those that this process sees.
    public static func ofNode(serviceManager: Int32?) throws(ObservationError) -> MountTable {
        if let serviceManager, let table = try of(pid: serviceManager) { return table }
        return try current()
    }

    /// The mounts at `directory` and beneath it, in the order in which they can be unmounted: every mount comes after
    /// those that are mounted on it and, if neither depends on the other, the later one comes first.
    ///
    /// `directory` is absolute, without symbolic links, `.` and `..`: the form in which the kernel lists mount points.
    public func mounts(beneath directory: String) -> [Mount] { mounts(beneath: Array(directory.utf8)) }

    /// The same for a directory whose name is not UTF-8.
    public func mounts(beneath directory: [UInt8]) -> [Mount] {
        let directory = trimmed(directory)
        let found = mounts.filter { $0.isBeneath(directory) }
        guard found.count > 1 else { return found }
        let children = Dictionary(grouping: found.indices, by: { found[$0].parentID })
        var order: [Mount] = []
        var visited = [Bool](repeating: false, count: found.count)
        // The latest mount first, and each one's children before itself. The stack is explicit, and a mount that was
        // visited is not visited again, because a hostile table may be deep, or contain a cycle.
        var stack: [(index: Int, childrenDone: Bool)] = found.indices.map { ($0, false) }
        while let (index, childrenDone) = stack.popLast() {
            if childrenDone {
                order.append(found[index])
            } else if !visited[index] {
                visited[index] = true
                stack.append((index, true))
                for child in children[found[index].id, default: []] where !visited[child] {
                    stack.append((child, false))
                }
            }
        }
        return order
    }

    /// A directory by the filesystem that it lies on, whatever a mount namespace calls it.
    public struct Location: Sendable, Hashable {
        public let device: Mount.Device
        /// The path from the root of the filesystem.
        public let path: [UInt8]
    }

    /// The directory that carries what is mounted at an absolute path, or that is there if nothing is; nil if nothing is
    /// mounted above it.
    public func location(of path: [UInt8]) -> Location? {
        let path = trimmed(path)
        var top: (length: Int, mount: Mount)?
        for mount in mounts {
            let point = trimmed(mount.mountPoint)
            guard point.count < path.count, point.count >= top?.length ?? 0, LinuxSystem.isBeneath(point, path) else {
                continue
            }
            top = (point.count, mount)
        }
        return top.map {
            Location(device: $0.mount.device, path: Array(trimmed($0.mount.root)) + path.dropFirst($0.length))
        }
    }

    /// The mounts that the resolution of an absolute path crosses, the one in which it ends last.
    public func mounts(onTheWayTo path: [UInt8]) -> [Mount] {
        let path = trimmed(path)
        let crossed = mounts.enumerated().filter { LinuxSystem.isBeneath(trimmed($1.mountPoint), path) }
        return crossed.sorted { ($0.element.mountPoint.count, $0.offset) < ($1.element.mountPoint.count, $1.offset) }
            .map(\.element)
    }

    private static func read(_ path: String) throws(ObservationError) -> MountTable? {
        guard let bytes = try contents(of: Array(path.utf8)) else { return nil }
        return try parse(bytes, file: path)
    }

    private static func parse(_ bytes: [UInt8], file: String) throws(ObservationError) -> MountTable {
        var mounts: [Mount] = []
        var (start, number) = (0, 0)
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: newline) ?? bytes.count
            let line = start..<end
            (start, number) = (end + 1, number + 1)
            if line.isEmpty { continue }
            guard let mount = Mount(bytes, line: line) else {
                throw .malformed(
                    file: file, line: number,
                    expected: "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS")
            }
            mounts.append(mount)
        }
        return MountTable(mounts: mounts)
    }
}
