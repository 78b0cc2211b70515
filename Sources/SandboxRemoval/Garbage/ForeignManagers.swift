internal import LinuxSystem
internal import NodeObservation

/// Running programs that manage containers themselves. What they have created belongs to them, even if no registry
/// knows it.
struct ForeignManagers: Sendable {
    struct Manager: Sendable {
        var name: String
        var pid: Int32
    }

    let running: [Manager]

    /// The managers that run now.
    static func running() throws(ObservationError) -> ForeignManagers {
        let found = try ProcessTable.living(named: Set(folders.keys))
        return ForeignManagers(running: found.map { Manager(name: $0.name, pid: $0.pid) })
    }

    /// The directories in which each manager keeps its own files, by process name.
    private static let folders: [String: [String]] = [
        "containerd": ["/run/containerd", "/var/lib/containerd"],
        "dockerd": ["/run/docker", "/var/lib/docker"],
        "crio": ["/run/containers", "/var/lib/containers", "/run/runc", "/run/crun"],
    ]

    /// Why something may belong to a running manager; nil if nothing indicates that.
    func claim(on path: String, isNamespace: Bool) -> String? {
        let manager = running.first { manager in
            Self.folders[manager.name, default: []].contains { isBeneath($0, path) }
                || isNamespace && Self.names(path, manager.name)
        }
        return manager.map { "\($0.name) runs (process \($0.pid)) and may know it" }
    }

    /// Whether a manager names the namespaces that it pins like this one.
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
