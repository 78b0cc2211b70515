internal import Glibc
internal import LinuxSystem

/// Cgroups of version 1 or 2, by their absolute directories. A cgroup that does not exist has no members.
public enum Cgroup {
    /// The pids of all processes in these cgroups and in every cgroup beneath them, sorted and without duplicates.
    ///
    /// Throws `.hiddenProcesses` if a process belongs to a PID namespace that cannot be seen from here, rather than
    /// omit it.
    public static func members(of directories: [String]) throws(ObservationError) -> [Int32] {
        var found: Set<Int32> = []
        for directory in directories {
            var pending = [Array(trimmed(Array(directory.utf8)))]
            var isFirst = true
            while let path = pending.popLast() {
                guard let cgroup = try KernelDirectory(path) else { continue }
                try addMembers(of: cgroup, path, isFirst: isFirst, to: &found)
                pending += try cgroup.subdirectories().map { path + [slash] + $0 }
                isFirst = false
            }
        }
        return found.sorted()
    }

    /// Whether no process is left in these cgroups or beneath them; a zombie does not count.
    public static func isEmpty(_ directories: [String]) throws(ObservationError) -> Bool {
        try members(of: directories).isEmpty
    }

    /// Those of these cgroups that exist.
    public static func existing(_ directories: [String]) throws(ObservationError) -> [String] {
        var found: [String] = []
        for directory in directories where try status(of: Array(directory.utf8), mountOnly: true) != nil {
            found.append(directory)
        }
        return found
    }

    /// Device and inode of a cgroup's directory; nil if there is none. The kernel does not reuse the inode before the
    /// next boot.
    public static func identity(of directory: String) throws(ObservationError) -> (device: UInt64, inode: UInt64)? {
        guard let found = try status(of: Array(directory.utf8), mountOnly: false) else { return nil }
        return (found.device, found.inode)
    }

    /// The cgroups beneath `root`, at most `depth` levels below it, that are named after a container: `ID`, or
    /// `PREFIX-ID.scope` with the systemd driver.
    ///
    /// - Parameter bound: The largest number of directories that are searched.
    public static func named(
        _ id: String, beneath root: String, depth: Int, bound: Int = 20_000
    ) throws(ObservationError) -> [String] {
        var found: [String] = []
        var pending = [(path: Array(trimmed(Array(root.utf8))), depth: 0)]
        var looked = 0
        while let (path, level) = pending.popLast(), looked < bound {
            looked += 1
            guard level < depth, let cgroup = try KernelDirectory(path) else { continue }
            for name in try cgroup.subdirectories() {
                let below = path + [slash] + name
                if isName(name, of: id) { found.append(below.text) } else { pending.append((below, level + 1)) }
            }
        }
        return found.sorted()
    }

    /// Whether a cgroup's name is that of a container's cgroup.
    static func isName(_ name: [UInt8], of id: String) -> Bool {
        let id = Array(id.utf8)
        if name == id { return true }
        let scope = Array(".scope".utf8)
        guard name.count > id.count + scope.count, name.suffix(scope.count).elementsEqual(scope) else { return false }
        let rest = name.dropLast(scope.count)
        let prefix = rest.dropLast(id.count)
        // crio-conmon-ID.scope is the cgroup of the container's monitor.
        return rest.suffix(id.count).elementsEqual(id) && prefix.last == UInt8(ascii: "-")
            && !prefix.dropLast().suffix(6).elementsEqual("conmon".utf8)
    }

    /// Whether one of these cgroups is frozen, itself or by a parent, or is being frozen (`freezer.state` of version 1,
    /// `cgroup.events` of version 2). No signal reaches a process in a frozen cgroup, except KILL on version 2.
    public static func isFrozen(_ directories: [String]) throws(ObservationError) -> Bool {
        for directory in directories {
            let cgroup = Array(trimmed(Array(directory.utf8)))
            if let state = try contents(of: cgroup + "/freezer.state".utf8), !state.starts(with: "THAWED".utf8) {
                return true
            }
            if let events = try contents(of: cgroup + "/cgroup.events".utf8),
                events.split(separator: newline).contains(where: { $0.elementsEqual("frozen 1".utf8) })
            {
                return true
            }
        }
        return false
    }

    /// Waits until these cgroups are empty. Returns the processes that are left at the deadline or when the task is
    /// cancelled; none if all are gone. Processes that are forked meanwhile are waited for too.
    public static func waitUntilEmpty(
        _ directories: [String], until deadline: ContinuousClock.Instant
    ) async throws(ObservationError) -> [Int32] {
        while true {
            let left = try members(of: directories)
            if left.isEmpty || Task.isCancelled || deadline <= .now { return left }
            // Version 1 has no event for an empty cgroup. A process leaves its cgroup before its pidfd becomes
            // readable, so each round ends with fewer processes or with new ones.
            for pid in left {
                guard let process = try ProcessHandle(pid: pid) else { continue }
                guard await process.wait(until: deadline) else { break }
            }
            await Task.yield()
        }
    }

    private static func addThreads(
        of cgroup: borrowing KernelDirectory, _ path: [UInt8], to found: inout Set<Int32>
    ) throws(ObservationError) {
        for line in try cgroup.contents(of: "cgroup.threads")?.split(separator: newline) ?? [] {
            guard let thread = line.number(as: Int32.self), thread > 0 else {
                throw .hiddenProcesses(cgroup: path.text)
            }
            if let process = try ProcessStatus.process(ofThread: thread) { found.insert(process) }
        }
    }

    private static func addMembers(
        of cgroup: borrowing KernelDirectory, _ path: [UInt8], isFirst: Bool, to found: inout Set<Int32>
    ) throws(ObservationError) {
        let bytes: [UInt8]
        do {
            guard let read = try cgroup.contents(of: "cgroup.procs") else { return }
            bytes = read
        } catch .failed(_, _, EOPNOTSUPP) {
            // A threaded cgroup (version 2): the cgroup above lists its processes. If that one was not read, the
            // threads identify the processes.
            if isFirst { try addThreads(of: cgroup, path, to: &found) }
            return
        }
        for (number, line) in bytes[...].fields(separatedBy: newline).enumerated() where !line.isEmpty {
            guard let pid = line.number(as: Int32.self) else {
                throw .malformed(
                    file: "\(path.text)/cgroup.procs", line: number + 1, expected: "a process id")
            }
            guard pid > 0 else { throw .hiddenProcesses(cgroup: path.text) }
            found.insert(pid)
        }
    }
}
