internal import Glibc

/// Cgroups, version 1 or 2, by their absolute directories. What does not exist has no members.
public enum Cgroup {
    /// The pids of all processes in these cgroups and in every cgroup beneath them: sorted, each once.
    ///
    /// Throws `.hiddenProcesses` rather than leave out a process of a PID namespace that cannot be seen from here.
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

    /// Whether no process is left in these cgroups and beneath them; a zombie does not count.
    public static func isEmpty(_ directories: [String]) throws(ObservationError) -> Bool {
        try members(of: directories).isEmpty
    }

    /// Those of these cgroups that there are.
    public static func existing(_ directories: [String]) throws(ObservationError) -> [String] {
        var found: [String] = []
        for directory in directories where try status(of: Array(directory.utf8), mountOnly: true) != nil {
            found.append(directory)
        }
        return found
    }

    /// Whether one of these cgroups is frozen, by itself or by a parent, or is being frozen (`freezer.state` of version 1,
    /// `cgroup.events` of version 2). No signal but KILL on version 2 reaches a process in it.
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

    /// Waits until these cgroups are empty, and returns what is left at the deadline (or when the task is cancelled): none
    /// when all are gone. Processes that are forked meanwhile are waited for too.
    public static func waitUntilEmpty(
        _ directories: [String], until deadline: ContinuousClock.Instant
    ) async throws(ObservationError) -> [Int32] {
        while true {
            let left = try members(of: directories)
            if left.isEmpty || Task.isCancelled || deadline <= .now { return left }
            // Version 1 has no event for an empty cgroup. A process leaves its cgroup before its pidfd tells, so
            // each round ends with fewer processes or with new ones.
            for pid in left {
                guard let process = try ProcessHandle(pid: pid) else { continue }
                guard await process.wait(until: deadline) else { break }
            }
            await Task.yield()
        }
    }

    private static func addMembers(
        of cgroup: borrowing KernelDirectory, _ path: [UInt8], isFirst: Bool, to found: inout Set<Int32>
    ) throws(ObservationError) {
        let bytes: [UInt8]
        do {
            guard let read = try cgroup.contents(of: "cgroup.procs") else { return }
            bytes = read
        } catch .failed(_, _, EOPNOTSUPP) where !isFirst {
            // A threaded cgroup (version 2): its processes are listed by the one above, which has been read.
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
