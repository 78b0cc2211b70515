import TestNode

/// All things on a node at one moment, seen by root from outside: neither podreap nor a runtime is asked.
struct Seen {
    /// A variable in the environment of every process that belongs to a history of this program's.
    static let mark = "PODREAP_MODEL_\(currentProcess())="

    /// Each thing, and what must stay as it is while it stays: a file's content, what a cgroup is frozen by.
    var things: [Thing: String] = [:]
    /// Whose each process says it is.
    var marks: [Thing: Owner] = [:]

    /// - Parameters:
    ///   - base: The node's roots.
    ///   - plain: Where the same directory can be seen without what is mounted in it.
    ///   - known: Processes that are looked for by their pids too: one that ends loses its environment first.
    init(base: String, plain: String, cgroupRoots: [String], known: some Sequence<Thing>) {
        for root in names(in: plain) where root.isDirectory && root.name != "image" {
            addEntries("\(base)/\(root.name)", "\(plain)/\(root.name)")
        }
        addMounts()
        for root in cgroupRoots { addCgroups(beneath: root) }
        addProcesses()
        for case .process(let pid, let startTime) in known
        where things[.process(pid: pid, startTime: startTime)] == nil && Self.startTime(of: pid) == startTime {
            if Self.lives(pid) { things[.process(pid: pid, startTime: startTime)] = "" }
        }
    }

    private mutating func addEntries(_ path: String, _ plain: String) {
        for (name, isDirectory) in names(in: plain) {
            guard let entry = Entry.at("\(plain)/\(name)") else { continue }
            var value = String(entry.mode, radix: 8)
            if entry.mode & 0o170000 == 0o100000 {
                value += contents(of: "\(plain)/\(name)", limit: 4096) ?? ""
            }
            things[.entry(path: "\(path)/\(name)", inode: entry.inode, birth: entry.birth)] = value
            // An overlay's own: it comes and goes with the mount.
            if isDirectory, name != "work" { addEntries("\(path)/\(name)", "\(plain)/\(name)") }
        }
    }

    private mutating func addMounts() {
        for line in (contents(of: "/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 9, let id = Int(fields[0]), let dash = fields.firstIndex(of: "-") else { continue }
            let isNamespace = fields[dash + 1] == "nsfs"
            let source = isNamespace ? String(fields[3]) : "\(fields[dash + 1]) \(fields[2]) \(fields[3])"
            things[.mount(id: id, point: String(fields[4]), source: source)] = ""
        }
    }

    private mutating func addCgroups(beneath root: String) {
        for (name, isDirectory) in names(in: root) where isDirectory {
            let path = "\(root)/\(name)"
            guard let entry = Entry.at(path) else { continue }
            things[.cgroup(path: path, inode: entry.inode)] =
                contents(of: "\(path)/freezer.self_freezing", limit: 64) ?? contents(
                    of: "\(path)/cgroup.freeze", limit: 64)
                ?? ""
            addCgroups(beneath: path)
        }
    }

    private mutating func addProcesses() {
        let mark = Array(Self.mark.utf8)
        for (name, _) in names(in: "/proc") {
            // A shell puts its variables in an order of its own.
            guard let pid = Int32(name), let environment = bytes(of: "/proc/\(name)/environ", limit: 512),
                let own = environment.split(separator: 0).first(where: { $0.starts(with: mark) }),
                let startTime = Self.startTime(of: pid)
            else { continue }
            let text = String(decoding: own.dropFirst(mark.count), as: UTF8.self)
            things[.process(pid: pid, startTime: startTime)] = ""
            marks[.process(pid: pid, startTime: startTime)] = Owner(mark: text[...])
        }
    }

    /// Clock ticks after boot; nil where no process has this pid.
    static func startTime(of pid: Int32) -> UInt64? { fields(ofStat: "/proc/\(pid)/stat").flatMap { UInt64($0[19]) } }

    /// Whether it has a KILL that it has not met, or is in its exit.
    static func isEnding(_ pid: Int32) -> Bool {
        guard let fields = fields(ofStat: "/proc/\(pid)/stat") else { return false }
        if let flags = UInt64(fields[6]), flags & 0x4 != 0, fields[0] != "Z" { return true }
        let pending = (contents(of: "/proc/\(pid)/status", limit: 4096) ?? "").split(separator: "\n")
            .filter { $0.hasPrefix("SigPnd:") || $0.hasPrefix("ShdPnd:") }
        return pending.contains { UInt64($0.dropFirst(7).trimmed, radix: 16).map { $0 & 0x100 != 0 } == true }
    }

    /// Whether any of its threads runs: the first one may have ended.
    private static func lives(_ pid: Int32) -> Bool {
        names(in: "/proc/\(pid)/task").contains { thread, _ in
            guard let state = fields(ofStat: "/proc/\(pid)/task/\(thread)/stat")?[0] else { return false }
            return state != "Z" && state != "X"
        }
    }

    /// proc(5)'s fields of /proc/PID/stat from the third on; a name in parentheses may hold anything.
    private static func fields(ofStat path: String) -> [Substring]? {
        guard let text = contents(of: path, limit: 4096), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[end...].dropFirst().split(separator: " ")
        return fields.count > 19 ? fields : nil
    }
}

extension Substring {
    fileprivate var trimmed: Substring { drop { $0 == "\t" || $0 == " " } }
}
