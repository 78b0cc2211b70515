import FoundationEssentials
internal import GRDB

// Conversions of records to rows and back. The tables' own checks make every conversion here valid.

extension Sandbox {
    func insert(_ database: Database) throws {
        try database.perform(
            sql: """
                INSERT INTO sandbox (id, name, namespace, uid, attempt, created_at, state, runtime, process_label,
                    mount_label, boot_id, labels, annotations, cgroups, monitors)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, metadata.name, metadata.namespace, metadata.uid, metadata.attempt, createdAt.microseconds,
                state.rawValue, runtime, processLabel, mountLabel, bootID, JSONValue(labels).compact,
                JSONValue(annotations).compact, PodCgroup.stored(cgroups), ProcessReference.stored(monitors),
            ])
        for place in places { try place.insert(database, sandbox: id, container: nil) }
        for level in levels {
            try database.perform(sql: "INSERT INTO level (sandbox, level) VALUES (?, ?)", arguments: [id, level])
        }
    }

    /// The sandbox's own paths, without its containers' directories.
    var places: [PlaceRow] {
        let shm = shm.map { PlaceRow(role: PlaceRow.shm, path: $0, identity: shmIdentity, mountID: shmMountID) }
        let own = PlaceRow(
            role: PlaceRow.directory, path: directory, identity: directoryIdentity, mountID: directoryMountID)
        return [own]
            + [shm].compactMap(\.self)
            + namespaces.map {
                PlaceRow(role: $0.kind.rawValue, path: $0.path, closed: $0.closed, identity: $0.identity)
            }
    }

    init(_ row: Row, places: [PlaceRow]) throws {
        let state: String = row["state"]
        let shm = places.first { $0.role == PlaceRow.shm }
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
            directoryMountID: directory.mountID,
            shm: shm?.path,
            shmIdentity: shm?.identity,
            shmMountID: shm?.mountID,
            namespaces: NamespaceKind.allCases.compactMap { kind in
                places.first { $0.role == kind.rawValue }.map {
                    NamespacePin(kind: kind, path: $0.path, closed: $0.closed, identity: $0.identity)
                }
            },
            cgroups: try PodCgroup.all(row["cgroups"]),
            monitors: try ProcessReference.all(row["monitors"]),
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
                    start_time, process_inode, state_device, state_inode, state_birth, labels, annotations)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, sandboxID, isInfra, name, attempt, createdAt.microseconds, runtime, image, stopSignal,
                process?.pid, process.map { Int64(bitPattern: $0.startTime) },
                identity.processInode.map { Int64(bitPattern: $0) },
                identity.stateDirectory.map { Int64(bitPattern: $0.device) },
                identity.stateDirectory.map { Int64(bitPattern: $0.inode) },
                identity.stateDirectory.map { Int64(bitPattern: $0.birth) },
                JSONValue(labels).compact, JSONValue(annotations).compact,
            ])
        for directory in directories {
            let place = PlaceRow(
                role: PlaceRow.directory, path: directory.path, identity: directory.identity,
                mountID: directory.mountID)
            try place.insert(database, sandbox: sandboxID, container: id)
        }
        for path in cgroups {
            let known = identity.cgroups[path]
            try database.perform(
                sql: "INSERT INTO cgroup (container, path, device, inode) VALUES (?, ?, ?, ?)",
                arguments: [
                    id, path, known.map { Int64(bitPattern: $0.device) }, known.map { Int64(bitPattern: $0.inode) },
                ])
        }
    }

    init(_ row: Row, directories: [PlaceRow], cgroups: [CgroupRow]) throws {
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
            directories: directories.map {
                Container.Directory(path: $0.path, identity: $0.identity, mountID: $0.mountID)
            },
            stopSignal: row["stop_signal"],
            process: pid.map { ProcessReference(pid: $0, startTime: UInt64(bitPattern: startTime ?? 0)) },
            cgroups: cgroups.map(\.path),
            identity: ContainerIdentity(
                stateDirectory: FileIdentity(row, "state_device", "state_inode", "state_birth"),
                processInode: (row["process_inode"] as Int64?).map { UInt64(bitPattern: $0) },
                cgroups: cgroups.reduce(into: [:]) { $0[$1.path] = $1.identity }),
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
    var mountID: UInt64?

    func insert(_ database: Database, sandbox: String, container: String?) throws {
        try database.perform(
            sql: """
                INSERT INTO place (sandbox, container, role, path, closed, device, inode, birth, mount_id)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                sandbox, container, role, path, closed, identity.map { Int64(bitPattern: $0.device) },
                identity.map { Int64(bitPattern: $0.inode) }, identity.map { Int64(bitPattern: $0.birth) },
                mountID.map { Int64(bitPattern: $0) },
            ])
    }
}

/// A row of `cgroup`.
struct CgroupRow {
    var path: String
    var identity: FileIdentity?

    init(_ row: Row) {
        path = row["path"]
        identity = FileIdentity(row, "device", "inode", nil)
    }
}

extension FileIdentity {
    /// nil if the columns are NULL.
    fileprivate init?(_ row: Row, _ device: String, _ inode: String, _ birth: String?) {
        guard let device = row[device] as Int64?, let inode = row[inode] as Int64? else { return nil }
        self.init(
            device: UInt64(bitPattern: device), inode: UInt64(bitPattern: inode),
            birth: birth.flatMap { row[$0] as Int64? }.map { UInt64(bitPattern: $0) } ?? 0)
    }
}

extension PlaceRow {
    init(_ row: Row) {
        role = row["role"]
        path = row["path"]
        closed = row["closed"]
        identity = FileIdentity(row, "device", "inode", "birth")
        mountID = (row["mount_id"] as Int64?).map { UInt64(bitPattern: $0) }
    }
}

/// Parses labels or annotations as the registry stores them.
private func stringMap(_ text: String) throws -> [String: String] {
    guard case .object(let members) = try JSONReader.read(Array(text.utf8)) else { return [:] }
    var map: [String: String] = [:]
    for member in members {
        if case .string(let value) = member.value { map[member.key] = value }
    }
    return map
}
