// What a pod leaves on a machine, read from outside, and removed without asking anyone.

/// Mount points beneath a directory or at it, the last mounted first, each with its filesystem's type.
func mounts(beneath directory: String) -> [(point: String, type: String)] {
    let found = mountTable().filter { $0.point == directory || $0.point.hasPrefix(directory + "/") }
    return found.reversed().map { ($0.point, $0.type) }
}

/// The mount points of the cgroup hierarchies of both versions that are mounted whole.
func cgroupMounts() -> [String] {
    mountTable().compactMap { $0.type.hasPrefix("cgroup") && $0.root == "/" ? $0.point : nil }
}

/// Whether this process has another mount namespace than the machine's init. A mount's id is its own in all namespaces, and
/// mountinfo is readable by all; /proc/1/ns/mnt is not, where init has capabilities that this process lacks.
func hasPrivateMounts() -> Bool {
    func ids(_ path: String) -> Set<Substring> {
        Set((contents(of: path) ?? "").split(separator: "\n").compactMap { $0.split(separator: " ").first })
    }
    let initial = ids("/proc/1/mountinfo")
    return !initial.isEmpty && initial.isDisjoint(with: ids("/proc/self/mountinfo"))
}

/// The lines of mountinfo as far as this module needs them: its own paths hold nothing that the kernel escapes.
private func mountTable() -> [(root: String, point: String, type: String)] {
    (contents(of: "/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line in
        let fields = line.split(separator: " ")
        guard let end = fields.firstIndex(of: "-"), end >= 6, end + 1 < fields.count else { return nil }
        return (String(fields[3]), String(fields[4]), String(fields[end + 1]))
    }
}

func detachMounts(beneath directory: String) {
    // Each detaches what lies on it too; a stack takes one call for each of its mounts.
    for mount in mounts(beneath: directory) { detachMount(mount.point) }
}

/// Removes a tree; never what is still mounted in it.
func removeTree(_ path: String) {
    guard exists(path), let pid = try? spawn(["rm", "-rf", "--one-file-system", path]) else { return }
    _ = succeeded(pid)
}

/// A cgroup and all beneath it, children first; none where it does not exist.
func cgroupTree(_ directory: String) -> [String] {
    guard isDirectory(directory) else { return [] }
    let children = names(in: directory).map { "\(directory)/\($0)" }.filter(isDirectory)
    return children.flatMap(cgroupTree) + [directory]
}

func cgroupMembers(_ directory: String) -> [Int32] {
    (contents(of: "\(directory)/cgroup.procs") ?? "").split(separator: "\n").compactMap { Int32($0) }
}

/// Thaws, kills and removes cgroups with all beneath them, for at most five seconds.
func removeCgroups(_ roots: [String]) {
    for _ in 0..<1000 {
        let cgroups = roots.flatMap(cgroupTree)
        if cgroups.isEmpty { return }
        for cgroup in cgroups {
            if exists("\(cgroup)/freezer.state") { try? write("THAWED", to: "\(cgroup)/freezer.state") }
            if exists("\(cgroup)/cgroup.freeze") { try? write("0", to: "\(cgroup)/cgroup.freeze") }
            cgroupMembers(cgroup).forEach(killProcess)
        }
        if cgroups.filter({ !removeDirectory($0) }).isEmpty { return }
        pause(milliseconds: 5)
    }
}

/// A process's start time in clock ticks after boot; nil where there is none, or only a zombie.
func livingProcess(_ pid: Int32) -> UInt64? {
    // The name in parentheses may hold any character.
    guard let text = contents(of: "/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[close...].dropFirst().split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
}
