/// The names of all cgroups that contain processes, and of the cgroups above them: for finding ids in them.
public struct CgroupNames: Sendable {
    private var pids: [[UInt8]: Int32] = [:]

    /// Every user may read them, whatever hierarchy they are in.
    ///
    /// - Parameter besides: Processes that are left out.
    public init(besides: Set<Int32> = []) throws(ObservationError) {
        for pid in try ProcessTable.pids() where !besides.contains(pid) {
            let bytes = (try? contents(of: Array("/proc/\(pid)/cgroup".utf8))) ?? nil
            guard let bytes, try Self.isAlive(pid) else { continue }
            for line in bytes.split(separator: newline) {
                guard let start = line.firstIndex(of: slash) else { continue }
                for name in line[start...].split(separator: slash) where pids[Array(name)] == nil {
                    pids[Array(name)] = pid
                }
            }
        }
    }

    /// A process that has ended but is not reaped yet still shows its cgroup.
    private static func isAlive(_ pid: Int32) throws(ObservationError) -> Bool {
        guard let process = try ProcessHandle(pid: pid) else { return false }
        return !process.isGone
    }

    /// For each of these ids that is found, a process in a cgroup whose name is the id, or contains it as runtimes
    /// write it.
    public func processes(of ids: Set<String>) -> [String: Int32] {
        var found: [String: Int32] = [:]
        for (name, pid) in pids {
            let text = name.text
            let scope = text.hasSuffix(".scope") ? text.dropLast(6).split(separator: "-").last.map(String.init) : nil
            for id in [text] + [scope].compactMap({ $0 }) + ContainerID.all(in: text) where ids.contains(id) {
                found[id] = min(found[id] ?? pid, pid)
            }
        }
        return found
    }
}

/// An id as CRI runtimes generate it.
public enum ContainerID {
    /// Runs of 64 hexadecimal digits.
    public static func all(in text: String) -> [String] {
        text.utf8.split { !(0x30...0x39).contains($0) && !(0x61...0x66).contains($0) }
            .filter { $0.count == 64 }.map { String(decoding: $0, as: UTF8.self) }
    }
}
