/// Something in a directory that a process uses, or that is mounted elsewhere.
public struct FileUse: Sendable, Equatable {
    /// The index of the place among the search's places.
    public var place: Int
    /// 0 for a mount in the node's mount namespace, whichever process uses it.
    public var pid: Int32
    /// The process's name; empty for a mount in the node's mount namespace.
    public var name: String
    /// `cwd`, `root`, `exe`, a descriptor's number, or `mount`.
    public var how: String
    /// The path in the process's mount namespace.
    public var path: [UInt8]
}

/// A process that this user may not look into.
public struct HiddenProcess: Sendable, Equatable {
    public var pid: Int32
    public var name: String
    /// What could not be seen, and why.
    public var problem: String
}

/// Finds the processes that have certain directories, or anything in them, as working directory, root, program, open
/// file or mount, in any mount namespace and under any name. Only links and tables of /proc are read, so no filesystem
/// is asked anything.
public struct PlaceSearch: Sendable {
    /// A part of a filesystem that belongs to a place.
    private struct Part: Sendable {
        var root: [UInt8]
        var place: Int
    }

    private var parts: [Mount.Device: [Part]] = [:]
    private let table: MountTable
    /// The places' names in the mount namespace of `table`.
    private let here: PlaceNames

    /// - Parameters:
    ///   - places: Absolute paths, without symbolic links, `.` and `..`.
    ///   - table: The mounts of the mount namespace in which the places have these names: the node's.
    public init(_ places: [[UInt8]], in table: MountTable) {
        self.table = table
        let places = places.map { Array(trimmed($0)) }
        here = PlaceNames(places.enumerated().map { ($1, $0) })
        let points = table.mounts.map { (mount: $0, path: Array(trimmed($0.mountPoint))) }
        // A filesystem that is also mounted outside the places does not belong to them alone.
        var common: Set<Mount.Device> = []
        for (mount, path) in points where here.places(of: path).isEmpty { common.insert(mount.device) }
        for (mount, path) in points where !common.contains(mount.device) {
            for place in here.places(of: path) { parts[mount.device, default: []].append(Part(root: [], place: place)) }
        }
        let tops = PlaceNames(points.enumerated().map { ($1.path, $0) })
        for (place, path) in places.enumerated() {
            // The mount in which the directory lies: the last one among those with the longest mount point.
            let around = tops.places(of: path).filter { points[$0].path.count < path.count }
            guard let top = around.max(by: { (points[$0].path.count, $0) < (points[$1].path.count, $1) }) else {
                continue
            }
            let root = Array(trimmed(points[top].mount.root)) + path.dropFirst(points[top].path.count)
            parts[points[top].mount.device, default: []].append(Part(root: root, place: place))
        }
    }

    /// All uses, and the processes that this user may not look into, which may have any use. Process 1 is not among
    /// those: it belongs to no pod, and may have capabilities that root elsewhere lacks.
    ///
    /// - Parameter besides: Processes that are ignored. This process is always ignored.
    public func uses(besides: Set<Int32> = []) throws(ObservationError) -> (uses: [FileUse], hidden: [HiddenProcess]) {
        var (found, hidden): ([FileUse], [HiddenProcess]) = ([], [])
        var views: [Int: View] = [:]
        if let first = table.mounts.first { views[first.id] = view(of: table) }
        for (place, path) in views.values.flatMap(\.mounts) {
            found.append(FileUse(place: place, pid: 0, name: "", how: "mount", path: path))
        }
        for pid in try ProcessTable.pids() where !besides.contains(pid) && pid != ProcessTable.own {
            guard let status = try ProcessStatus.of(pid: pid), let thread = try status.livingThread(),
                let (view, isNew) = try view(of: thread, &views)
            else { continue }
            if isNew {
                for (place, path) in view.mounts {
                    found.append(FileUse(place: place, pid: pid, name: status.name, how: "mount", path: path))
                }
            }
            let (links, problem) = Self.links(of: thread)
            if let problem, pid != 1 { hidden.append(HiddenProcess(pid: pid, name: status.name, problem: problem)) }
            var known: [Int: Int] = [:]
            for (how, path) in links {
                for place in view.names.places(of: path) where known[place, default: 0] < Self.limitOfProcess {
                    known[place, default: 0] += 1
                    found.append(FileUse(place: place, pid: pid, name: status.name, how: how, path: path))
                }
            }
        }
        return (found, hidden)
    }

    /// The most uses of one place that are reported of one process.
    public static let limitOfProcess = 8

    // MARK: Mount namespaces

    /// The places' names in a mount namespace, and where it has them mounted in addition to where they are in the
    /// node's.
    private struct View {
        var names: PlaceNames
        var mounts: [(place: Int, path: [UInt8])]
    }

    /// nil if there is no such process any more, or if it may not be looked at.
    private func view(
        of pid: Int32, _ views: inout [Int: View]
    ) throws(ObservationError) -> (view: View, isNew: Bool)? {
        // A mount's id is unique among all namespaces, so the first one identifies the table.
        let bytes = try? beginning(of: Array("/proc/\(pid)/mountinfo".utf8))
        guard let first: Int = (bytes ?? nil)?.prefix(while: { $0 != space }).number() else { return nil }
        if let known = views[first] { return (known, false) }
        guard let table = try? MountTable.of(pid: pid) else { return nil }
        let found = view(of: table)
        views[first] = found
        return (found, true)
    }

    private func view(of table: MountTable) -> View {
        var names: [(path: [UInt8], value: Int)] = []
        var mounts: [(place: Int, path: [UInt8])] = []
        for mount in table.mounts {
            guard let parts = parts[mount.device] else { continue }
            let (root, point) = (mount.root, Array(trimmed(mount.mountPoint)))
            for part in parts {
                if let rest = remainder(of: part.root, beneath: trimmed(root)), !part.root.isEmpty {
                    names.append((point + rest, part.place))
                    // The directory itself is mounted there, not one that contains it.
                    if rest.isEmpty { add(point, part.place, to: &mounts) }
                } else if remainder(of: root, beneath: part.root[...]) != nil {
                    names.append((point, part.place))
                    add(point, part.place, to: &mounts)
                }
            }
        }
        return View(names: PlaceNames(names), mounts: mounts)
    }

    /// A copy at the same path, as in each service's mount namespace, keeps nothing in use, and is left out.
    private func add(_ point: [UInt8], _ place: Int, to mounts: inout [(place: Int, path: [UInt8])]) {
        guard here.places(of: point).isEmpty, !mounts.contains(where: { $0 == (place, point) }) else { return }
        mounts.append((place, point))
    }

    // MARK: Links

    private static func links(of pid: Int32) -> (links: [(how: String, path: [UInt8])], problem: String?) {
        let process = "/proc/\(pid)"
        var (found, problem): ([(how: String, path: [UInt8])], String?) = ([], nil)
        func look(_ how: String, _ link: String) {
            do throws(ObservationError) {
                guard let path = try linkTarget(link), path.first == slash else { return }
                let isDeleted = path.suffix(deleted.count).elementsEqual(deleted)
                found.append((how, isDeleted ? Array(path.dropLast(deleted.count)) : path))
            } catch {
                problem = "\(error)"
            }
        }
        for how in ["cwd", "root", "exe"] { look(how, "\(process)/\(how)") }
        do throws(ObservationError) {
            if let names = try linkNames(of: "\(process)/fd") {
                for name in names { look(name, "\(process)/fd/\(name)") }
            } else {
                problem = "\(process)/fd cannot be listed"
            }
        } catch {
            problem = "\(error)"
        }
        return (found, problem)
    }
}

/// What the kernel appends to the path of a file that was removed.
private let deleted = Array(" (deleted)".utf8)

/// Values of directories, looked up by a path at or beneath the directory.
private struct PlaceNames {
    private var values: [ArraySlice<UInt8>: [Int]] = [:]

    init(_ names: [(path: [UInt8], value: Int)]) {
        for (path, value) in names { values[trimmed(path), default: []].append(value) }
    }

    /// The values of all directories in which a path lies, including the path itself, without duplicates.
    func places(of path: [UInt8]) -> [Int] {
        if values.isEmpty { return [] }
        var found: [Int] = []
        var rest = trimmed(path)
        while true {
            for value in values[rest, default: []] where !found.contains(value) { found.append(value) }
            guard let end = rest.lastIndex(of: slash) else { return found }
            rest = rest[..<end]
        }
    }
}
