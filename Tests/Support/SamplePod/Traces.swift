internal import TestNode

// What a pod leaves on a machine, read from outside, and removed without asking anyone.

/// What is mounted beneath a directory or at it, the last mounted first.
func mountsToDetach(beneath directory: String) -> [NodeMount] {
    ((try? NodeMount.beneath(directory)) ?? []).reversed()
}

func detachMounts(beneath directory: String) {
    // Each detaches what lies on it too; a stack takes one call for each of its mounts.
    for mount in mountsToDetach(beneath: directory) { detachMount(mount.point) }
}

/// Removes a tree; never what is still mounted in it.
func removeTree(_ path: String) {
    if Entry.exists(path) { _ = try? runCommand(["rm", "-rf", "--one-file-system", path]) }
}

/// A cgroup and all beneath it, children first; none where it does not exist.
func cgroupTree(_ directory: String) -> [String] {
    guard Entry.exists(directory) else { return [] }
    return names(in: directory).filter(\.isDirectory).flatMap { cgroupTree("\(directory)/\($0.name)") } + [directory]
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
            if Entry.exists("\(cgroup)/freezer.state") { try? write("THAWED", to: "\(cgroup)/freezer.state") }
            if Entry.exists("\(cgroup)/cgroup.freeze") { try? write("0", to: "\(cgroup)/cgroup.freeze") }
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
