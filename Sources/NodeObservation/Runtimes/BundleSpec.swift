/// The parts of an OCI bundle's config.json that a removal needs (OCI runtime specification, "Configuration").
///
/// Every member may be absent or null, even if the specification requires it, because a bundle that no runtime accepts
/// has to be removed too.
struct BundleSpec: Decodable, Sendable {
    struct Root: Decodable { let path: String? }
    struct Process: Decodable { let selinuxLabel: String? }
    struct Mount: Decodable {
        let destination: String?
        let source: String?
    }
    struct Namespace: Decodable {
        let type: String?
        let path: String?
    }
    struct Linux: Decodable {
        let namespaces: [Namespace]?
        let mountLabel: String?
        let cgroupsPath: String?
    }
    struct Hook: Decodable { let path: String? }
    struct Hooks: Decodable { let poststop: [Hook]? }

    let root: Root?
    let process: Process?
    let mounts: [Mount]?
    let linux: Linux?
    let hooks: Hooks?
    let annotations: [String: String?]?

    /// The source of the container's `/dev/shm`; nil if it has one of its own. The last mount there is the visible one.
    var shm: String? {
        mounts?.last { $0.destination == "/dev/shm" }?.source.flatMap { $0.first == "/" ? $0 : nil }
    }

    /// The paths of pinned namespaces, by their types in the specification. A path beneath /proc is a process's own
    /// namespace, not a pin.
    var pins: [String: String] {
        let pins = (linux?.namespaces ?? []).compactMap { space -> (String, String)? in
            guard let type = space.type, let path = space.path else { return nil }
            return path.first == "/" && !path.hasPrefix("/proc/") ? (type, path) : nil
        }
        return Dictionary(pins) { first, _ in first }
    }

    /// The path in a hierarchy that `cgroupsPath` stands for. The systemd driver writes `SLICE:PREFIX:NAME`.
    var cgroup: String? {
        guard let path = linux?.cgroupsPath, !path.isEmpty else { return nil }
        let parts = path.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 3 {
            return CgroupParent.path(parts[0].isEmpty ? "system.slice" : parts[0]).map {
                "\($0)/\(parts[1])-\(parts[2]).scope"
            }
        }
        return CgroupParent.path(path)
    }
}

/// A pod's parent cgroup, as kubelets name it.
enum CgroupParent {
    /// Its path in a hierarchy. The systemd driver gives the last slice's name alone, which says in which slices it
    /// lies: `a-b.slice` is `/a.slice/a-b.slice` (systemd.slice(5)).
    static func path(_ parent: String) -> String? {
        let names = parent.split(separator: "/")
        guard !names.isEmpty, !names.contains(".."), !names.contains(".") else { return nil }
        guard names.count == 1, parent.hasSuffix(".slice") else { return "/" + names.joined(separator: "/") }
        let words = parent.dropLast(".slice".count).split(separator: "-")
        return words.indices.map { "/\(words[...$0].joined(separator: "-")).slice" }.joined()
    }
}
