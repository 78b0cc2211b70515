import Foundation

/// All that can be seen of directories, mounts and processes, as text, so that two snapshots can be compared line by line.
struct Snapshot: Equatable {
    private var facts: [String: String] = [:]

    /// - Parameters:
    ///   - trees: Directories that are read with all beneath them.
    ///   - mounts: Whether a mount at this place counts.
    ///   - process: A container's init.
    init(trees: [String], mounts: (Substring) -> Bool, process: Int32) {
        for tree in trees { add(tree) }
        for line in text("/proc/self/mountinfo").split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            if fields.count > 5, mounts(fields[4]) { facts["mount \(fields[0])"] = String(line) }
        }
        let stat = text("/proc/\(process)/stat").split(separator: " ")
        // The start time; not the state, which changes by itself.
        facts["process \(process)"] = stat.count > 21 && stat[2] != "Z" ? String(stat[21]) : "gone"
        facts["process \(process) mountinfo"] = text("/proc/\(process)/mountinfo")
        for namespace in ["mnt", "net", "ipc", "uts", "pid"] {
            facts["process \(process) \(namespace)"] =
                status(of: "/proc/\(process)/ns/\(namespace)", follow: true)?.text
        }
    }

    private mutating func add(_ path: String) {
        guard let found = status(of: path, follow: false) else { return }
        facts[path] = found.text
        if found.isDirectory {
            for name in entries(of: path) { add("\(path)/\(name)") }
        } else if found.isRegular {
            facts["content \(path)"] = text(path)
        } else if found.isLink {
            facts["link \(path)"] = linkTarget(path)
        }
    }

    /// What is different in a later one.
    func changes(to later: Snapshot) -> [String] {
        Set(facts.keys).union(later.facts.keys).sorted().compactMap { key in
            let (before, now) = (facts[key], later.facts[key])
            return before == now ? nil : "\(key): \(before ?? "nothing") -> \(now ?? "nothing")"
        }
    }

    var count: Int { facts.count }
}
