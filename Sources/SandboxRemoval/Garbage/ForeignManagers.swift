internal import NodeObservation

/// Programs that manage containers by themselves, where they run: what they have made is theirs, whatever no registry knows.
struct ForeignManagers: Sendable {
    struct Manager: Sendable {
        var name: String
        var pid: Int32
    }

    let running: [Manager]

    /// Those that run now.
    static func running() throws(ObservationError) -> ForeignManagers {
        var found: [Manager] = []
        for pid in try ProcessTable.pids() {
            guard let status = try ProcessStatus.of(pid: pid), status.state != "Z", folders[status.name] != nil else {
                continue
            }
            found.append(Manager(name: status.name, pid: pid))
        }
        return ForeignManagers(running: found)
    }

    /// By the process's name: where each keeps what is its own.
    private static let folders: [String: [String]] = [
        "containerd": ["/run/containerd", "/var/lib/containerd"],
        "dockerd": ["/run/docker", "/var/lib/docker"],
        "crio": ["/run/containers", "/var/lib/containers", "/run/runc", "/run/crun"],
    ]

    /// Why something may be a running manager's; nil where nothing says so.
    func claim(on path: String, isNamespace: Bool) -> String? {
        let manager = running.first { manager in
            Self.folders[manager.name, default: []].contains { isBeneath($0, path) }
                || isNamespace && Self.names(path, manager.name)
        }
        return manager.map { "\($0.name) runs (process \($0.pid)) and may know it" }
    }

    /// How a manager names the namespaces that it pins.
    private static func names(_ path: String, _ manager: String) -> Bool {
        let name = path.split(separator: "/").last ?? ""
        switch manager {
        case "containerd": return name.hasPrefix("cni-")
        case "crio":
            return name.split(separator: "-", omittingEmptySubsequences: false).map(\.count) == [8, 4, 4, 4, 12]
        default: return false
        }
    }
}
