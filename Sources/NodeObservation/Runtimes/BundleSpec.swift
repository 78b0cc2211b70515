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
}
