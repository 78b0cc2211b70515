internal import LinuxSystem

/// A program of the node itself that makes, runs and removes pods: a container runtime's daemon, or a kubelet.
public struct PodManager: Sendable, Equatable {
    public let pid: Int32
    /// The process's name.
    public let name: String
    /// A letter as in `ProcessStatus.state`.
    public let state: Character

    /// Whether it was stopped by a signal or a debugger, so that it answers nobody.
    public var isStopped: Bool { state == "T" || state == "t" }

    private static let names: Set<String> = [
        "containerd", "crio", "dockerd", "kubelet", "kubelite", "k3s-server", "k3s-agent", "k0s", "rke2",
    ]

    /// Those that run now, ordered by pid. A process with such a name in a PID namespace beneath this one belongs to a
    /// container, and is left out.
    public static func running() throws(ObservationError) -> [PodManager] {
        var found: [PodManager] = []
        for status in try ProcessTable.living(named: names) where try ProcessStatus.isOfThisNamespace(status.pid) {
            found.append(PodManager(pid: status.pid, name: status.name, state: status.state))
        }
        return found
    }

    /// The named Unix sockets at which it listens, as its mount namespace calls them; empty if this user may not know.
    public var sockets: [String] {
        let links = (try? linkNames(of: "/proc/\(pid)/fd")) ?? nil
        let own = Set((links ?? []).compactMap { (try? linkTarget("/proc/\(pid)/fd/\($0)")) ?? nil })
        guard !own.isEmpty, let table = (try? contents(of: Array("/proc/\(pid)/net/unix".utf8))) ?? nil else {
            return []
        }
        // Num RefCount Protocol Flags Type St Inode Path; flag __SO_ACCEPTCON.
        return table.split(separator: newline).compactMap { line in
            let fields = line.split(separator: space, maxSplits: 7)
            guard fields.count == 8, fields[3].elementsEqual("00010000".utf8), fields[7].first == slash,
                own.contains(Array("socket:[".utf8) + fields[6] + [UInt8(ascii: "]")])
            else { return nil }
            return fields[7].text
        }
    }

    /// The CNI plugins (CNI specification, "Execution Protocol") that it runs to take a sandbox's network away, and that
    /// have not ended.
    public func networkPlugins(removing id: String) throws(ObservationError) -> [Int32] {
        var found: [Int32] = []
        for pid in try ProcessTable.pids() {
            // The environment is in the process's memory, whose lock may be held by a thread that hangs.
            guard let status = try ProcessStatus.of(pid: pid), status.parent == self.pid, status.state != "D",
                let bytes = (try? contents(of: Array("/proc/\(pid)/environ".utf8))) ?? nil
            else { continue }
            let variables = Set(bytes.split(separator: 0).map(\.text))
            if variables.contains("CNI_COMMAND=DEL"), variables.contains("CNI_CONTAINERID=\(id)") { found.append(pid) }
        }
        return found
    }
}
