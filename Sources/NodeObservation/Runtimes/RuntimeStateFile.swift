/// What runc or crun stores about a container: `ROOT/ID/state.json`, or `ROOT/ID/status`.
public struct RuntimeStateFile: Sendable, Equatable {
    public let id: String
    /// The runtime in whose format the file is: `runc` or `crun`.
    public let format: String
    /// 0 if the container was never started.
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64
    /// RFC 3339; nil if the file does not tell.
    public let created: String?
    public let bundle: String?
    /// Empty for crun, which stores none in this file.
    public let annotations: [String: String]
    /// Absolute directories, sorted; empty for crun, which stores none in this file.
    public let cgroups: [String]
    /// The paths of the container's pinned namespaces, by their types in an OCI bundle (`network`, `ipc`, …).
    public let pins: [String: String]
    public let rootfs: String?
    public let processLabel: String
    public let mountLabel: String

    /// The state files of all containers in a runtime's root directory, sorted by id. The errors of unreadable ones are
    /// passed to `problem`.
    static func all(
        in root: String, _ files: NodeFiles, problem: (ObservationError) -> Void
    ) throws(ObservationError) -> [RuntimeStateFile] {
        var found: [RuntimeStateFile] = []
        for id in try files.names(in: root) {
            do throws(ObservationError) {
                if let file = try read(id, in: root, files) { found.append(file) }
            } catch {
                problem(error)
            }
        }
        return found
    }

    /// nil if the runtime does not know the container.
    static func read(_ id: String, in root: String, _ files: NodeFiles) throws(ObservationError) -> RuntimeStateFile? {
        if let runc = try files.json("\(root)/\(id)/state.json", as: RuncState.self) {
            return RuntimeStateFile(id, runc)
        }
        return try files.json("\(root)/\(id)/status", as: CrunStatus.self).map { RuntimeStateFile(id, $0) }
    }

    /// The container's init process; nil if exactly that process is no longer alive.
    func livingProcess() throws(ObservationError) -> (pid: Int32, startTime: UInt64)? {
        guard let status = try ProcessStatus.of(pid: pid), status.startTime == startTime, status.state != "Z" else {
            return nil
        }
        return (pid, startTime)
    }

    private init(_ id: String, _ state: RuncState) {
        let labels = (state.config?.labels ?? []).map {
            $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        }
        var annotations = Dictionary(
            labels.filter { $0.count == 2 }.map { (String($0[0]), String($0[1])) }, uniquingKeysWith: { $1 })
        self.id = id
        format = "runc"
        pid = state.initPID ?? 0
        startTime = state.initStart ?? 0
        created = state.created
        // libcontainer adds this label itself, beside the bundle's annotations.
        bundle = annotations.removeValue(forKey: "bundle")
        self.annotations = annotations
        cgroups = (state.cgroups ?? [:]).values.compactMap { $0 }.filter { $0.first == "/" }.sorted()
        let pins = (state.config?.namespaces ?? []).compactMap { space -> (String, String)? in
            guard let kind = space.type.flatMap({ Self.kinds[$0] }), let path = space.path else { return nil }
            return path.first == "/" && !path.hasPrefix("/proc/") ? (kind, path) : nil
        }
        self.pins = Dictionary(pins) { first, _ in first }
        rootfs = state.config?.rootfs
        processLabel = state.config?.processLabel ?? ""
        mountLabel = state.config?.mountLabel ?? ""
    }

    private init(_ id: String, _ status: CrunStatus) {
        self.id = id
        format = "crun"
        pid = status.pid ?? 0
        startTime = status.startTime ?? 0
        created = status.created
        bundle = status.bundle
        annotations = [:]
        cgroups = []
        pins = [:]
        rootfs = status.rootfs
        processLabel = ""
        mountLabel = ""
    }

    private static let kinds = [
        "NEWNET": "network", "NEWIPC": "ipc", "NEWUTS": "uts", "NEWUSER": "user", "NEWPID": "pid",
        "NEWCGROUP": "cgroup",
    ]
}

/// `state.json` of libcontainer. Which empty members are omitted differs by version.
private struct RuncState: Decodable {
    struct Config: Decodable {
        struct Namespace: Decodable {
            let type: String?
            /// Omitted if empty, since runc 1.4.
            let path: String?
        }
        let rootfs: String?
        let labels: [String]?
        let namespaces: [Namespace]?
        let processLabel: String?
        let mountLabel: String?

        enum CodingKeys: String, CodingKey {
            case rootfs, labels, namespaces
            case processLabel = "process_label"
            case mountLabel = "mount_label"
        }
    }
    let initPID: Int32?
    let initStart: UInt64?
    let created: String?
    let cgroups: [String: String?]?
    let config: Config?

    enum CodingKeys: String, CodingKey {
        case created, config
        case initPID = "init_process_pid"
        case initStart = "init_process_start"
        case cgroups = "cgroup_paths"
    }
}

/// `status` of crun.
private struct CrunStatus: Decodable {
    let pid: Int32?
    let startTime: UInt64?
    let created: String?
    let bundle: String?
    let rootfs: String?

    enum CodingKeys: String, CodingKey {
        case pid, created, bundle, rootfs
        case startTime = "process-start-time"
    }
}
