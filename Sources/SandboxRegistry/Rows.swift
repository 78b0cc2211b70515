import FoundationEssentials
internal import GRDB

// Records to rows and back. The tables' own checks make every conversion here hold.

extension Sandbox {
    func insert(_ database: Database) throws {
        try database.perform(
            sql: """
                INSERT INTO sandbox (id, name, namespace, uid, attempt, created_at, state, runtime, process_label,
                    mount_label, boot_id, labels, annotations)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, metadata.name, metadata.namespace, metadata.uid, metadata.attempt, createdAt.microseconds,
                state.rawValue, runtime, processLabel, mountLabel, bootID, JSONValue(labels).compact,
                JSONValue(annotations).compact,
            ])
        for place in places { try place.insert(database, sandbox: id, container: nil) }
        for level in levels {
            try database.perform(sql: "INSERT INTO level (sandbox, level) VALUES (?, ?)", arguments: [id, level])
        }
    }

    /// What is the sandbox's own, without its containers' directories.
    var places: [PlaceRow] {
        let shm = shm.map { PlaceRow(role: PlaceRow.shm, path: $0) }
        return [PlaceRow(role: PlaceRow.directory, path: directory, identity: directoryIdentity)]
            + [shm].compactMap(\.self)
            + namespaces.map {
                PlaceRow(role: $0.kind.rawValue, path: $0.path, closed: $0.closed, identity: $0.identity)
            }
    }

    init(_ row: Row, places: [PlaceRow]) throws {
        let state: String = row["state"]
        guard let state = SandboxState(rawValue: state),
            let directory = places.first(where: { $0.role == PlaceRow.directory })
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a sandbox without a state or a directory") }
        self.init(
            id: row["id"],
            metadata: PodMetadata(
                name: row["name"], namespace: row["namespace"], uid: row["uid"], attempt: row["attempt"]),
            createdAt: Date(microseconds: row["created_at"]),
            state: state,
            runtime: row["runtime"],
            directory: directory.path,
            directoryIdentity: directory.identity,
            shm: places.first { $0.role == PlaceRow.shm }?.path,
            namespaces: NamespaceKind.allCases.compactMap { kind in
                places.first { $0.role == kind.rawValue }.map {
                    NamespacePin(kind: kind, path: $0.path, closed: $0.closed, identity: $0.identity)
                }
            },
            processLabel: row["process_label"],
            mountLabel: row["mount_label"],
            labels: try stringMap(row["labels"]),
            annotations: try stringMap(row["annotations"]),
            bootID: row["boot_id"])
    }
}

extension Container {
    func insert(_ database: Database) throws {
        try database.perform(
            sql: """
                INSERT INTO container (id, sandbox, infra, name, attempt, created_at, runtime, image, stop_signal, pid,
                    start_time, labels, annotations)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, sandboxID, isInfra, name, attempt, createdAt.microseconds, runtime, image, stopSignal,
                process?.pid, process.map { Int64(bitPattern: $0.startTime) }, JSONValue(labels).compact,
                JSONValue(annotations).compact,
            ])
        for directory in directories {
            let place = PlaceRow(role: PlaceRow.directory, path: directory.path, identity: directory.identity)
            try place.insert(database, sandbox: sandboxID, container: id)
        }
        for path in cgroups {
            try database.perform(sql: "INSERT INTO cgroup (container, path) VALUES (?, ?)", arguments: [id, path])
        }
    }

    init(_ row: Row, directories: [PlaceRow], cgroups: [String]) throws {
        let pid: Int32? = row["pid"]
        let startTime: Int64? = row["start_time"]
        self.init(
            id: row["id"],
            sandboxID: row["sandbox"],
            isInfra: row["infra"],
            name: row["name"],
            attempt: row["attempt"],
            createdAt: Date(microseconds: row["created_at"]),
            runtime: row["runtime"],
            image: row["image"],
            directories: directories.map { Container.Directory(path: $0.path, identity: $0.identity) },
            stopSignal: row["stop_signal"],
            process: pid.map { ProcessReference(pid: $0, startTime: UInt64(bitPattern: startTime ?? 0)) },
            cgroups: cgroups,
            labels: try stringMap(row["labels"]),
            annotations: try stringMap(row["annotations"]))
    }
}

/// A row of `place`: a path that a removal acts on.
struct PlaceRow {
    static let directory = "directory"
    static let shm = "shm"

    var role: String
    var path: String
    var closed = false
    var identity: FileIdentity?

    func insert(_ database: Database, sandbox: String, container: String?) throws {
        try database.perform(
            sql: """
                INSERT INTO place (sandbox, container, role, path, closed, device, inode, birth)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                sandbox, container, role, path, closed, identity.map { Int64(bitPattern: $0.device) },
                identity.map { Int64(bitPattern: $0.inode) }, identity.map { Int64(bitPattern: $0.birth) },
            ])
    }
}

extension PlaceRow {
    init(_ row: Row) {
        role = row["role"]
        path = row["path"]
        closed = row["closed"]
        let device: Int64? = row["device"]
        let inode: Int64? = row["inode"]
        let birth: Int64? = row["birth"]
        if let device, let inode, let birth {
            identity = FileIdentity(
                device: UInt64(bitPattern: device), inode: UInt64(bitPattern: inode), birth: UInt64(bitPattern: birth))
        }
    }
}

/// Labels and annotations as the registry keeps them.
private func stringMap(_ text: String) throws -> [String: String] {
    guard case .object(let members) = try JSONReader.read(Array(text.utf8)) else { return [:] }
    var map: [String: String] = [:]
    for member in members {
        if case .string(let value) = member.value { map[member.key] = value }
    }
    return map
}
