internal import GRDB

/// A container whose cgroup is the same as another container's, or lies beneath or above it.
public struct CgroupSharer: Sendable, Equatable {
    /// The cgroup that was asked about.
    public var path: String
    /// The other container's id.
    public var container: String
    /// The other container's own cgroup.
    public var theirs: String
    /// Device and inode of that one; nil if they are not recorded.
    public var identity: FileIdentity?

    public init(path: String, container: String, theirs: String, identity: FileIdentity? = nil) {
        self.path = path
        self.container = container
        self.theirs = theirs
        self.identity = identity
    }
}

/// A sandbox with what its removal has to know of its containers.
package struct SandboxRecords: Sendable {
    package var sandbox: Sandbox
    package var containers: [Container]
    /// The containers to which others have left cgroups.
    package var heirs: Set<String>
    /// By container: the other containers that share its cgroups.
    package var sharers: [String: [CgroupSharer]] = [:]
}

/// An absolute path and all directories above it, except the root.
func pathsAbove(_ path: String) -> [String] {
    var above = [path]
    while let slash = above.last?.lastIndex(of: "/"), slash != path.startIndex {
        above.append(String(path[..<slash]))
    }
    return above
}

extension Registry {
    /// All sandboxes, the oldest first.
    public func sandboxes() throws(RegistryError) -> [Sandbox] {
        try read { database in
            let places = try database.rows(sql: "SELECT * FROM place WHERE container IS NULL")
            let bySandbox = Dictionary(grouping: places) { $0["sandbox"] as String }
            return try database.rows(sql: "SELECT * FROM sandbox ORDER BY created_at, id").map { row in
                try Sandbox(row, places: bySandbox[row["id"], default: []].map(PlaceRow.init))
            }
        }
    }

    /// The containers of a sandbox that are not forgotten yet, as they were registered; empty if the sandbox is
    /// unknown.
    public func containers(of sandboxID: String) throws(RegistryError) -> [Container] {
        try read { database in try Self.containers(of: sandboxID, database) }
    }

    /// What a removal has to know of a sandbox, as it was at one instant; nil if the sandbox is unknown.
    package func records(of sandboxID: String) throws(RegistryError) -> SandboxRecords? {
        try read { database in
            guard let sandbox = try Self.sandbox(sandboxID, database) else { return nil }
            var records = SandboxRecords(
                sandbox: sandbox, containers: try Self.containers(of: sandboxID, database),
                heirs: try Self.heirs(database))
            for container in records.containers {
                records.sharers[container.id] = try Self.sharers(
                    of: container.cgroups, besides: container.id, database)
            }
            return records
        }
    }

    private static func containers(of sandboxID: String, _ database: Database) throws -> [Container] {
        let directories = try database.rows(
            sql: "SELECT * FROM place WHERE sandbox = ? AND container IS NOT NULL ORDER BY rowid",
            arguments: [sandboxID])
        let cgroups = try database.rows(
            sql: """
                SELECT cgroup.* FROM cgroup JOIN container ON cgroup.container = container.id
                WHERE container.sandbox = ? ORDER BY cgroup.rowid
                """,
            arguments: [sandboxID])
        let directoriesOf = Dictionary(grouping: directories) { $0["container"] as String }
        let cgroupsOf = Dictionary(grouping: cgroups) { $0["container"] as String }
        return try database.rows(
            sql: "SELECT * FROM container WHERE sandbox = ? ORDER BY number", arguments: [sandboxID]
        ).map { row in
            try Container(
                row, directories: directoriesOf[row["id"], default: []].map(PlaceRow.init),
                cgroups: cgroupsOf[row["id"], default: []].map(CgroupRow.init))
        }
    }

    /// The other registered containers, of any sandbox, whose cgroup is one of these paths, or lies beneath or above
    /// one.
    ///
    /// - Parameter id: The container to which the cgroups at these paths belong.
    public func sharers(
        of paths: [String], besides id: String
    ) throws(RegistryError) -> [CgroupSharer] {
        if paths.isEmpty { return [] }
        return try read { database in try Self.sharers(of: paths, besides: id, database) }
    }

    private static func sharers(
        of paths: [String], besides id: String, _ database: Database
    ) throws -> [CgroupSharer] {
        var found: [CgroupSharer] = []
        for path in paths {
            let above = pathsAbove(path)
            // "0" follows "/" in ASCII, so every path beneath lies between the two.
            let rows = try database.rows(
                sql: """
                    SELECT container, path, device, inode FROM cgroup
                    WHERE container <> ? AND (path IN (\(databaseQuestionMarks(count: above.count)))
                        OR (path > ? AND path < ?))
                    """,
                arguments: StatementArguments([id] + above + [path + "/", path + "0"]))
            found += rows.map { row in
                CgroupSharer(
                    path: path, container: row["container"], theirs: row["path"], identity: CgroupRow(row).identity)
            }
        }
        return found
    }

    /// The SELinux levels of registered sandboxes, each with its number of sandboxes; a level that is not listed is
    /// free.
    public func levelsInUse() throws(RegistryError) -> [(level: String, sandboxes: Int)] {
        try read { database in
            try database.rows(sql: "SELECT level, count(*) AS held FROM level GROUP BY level ORDER BY level")
                .map { (level: $0["level"], sandboxes: $0["held"]) }
        }
    }

    static func sandbox(_ id: String, _ database: Database) throws -> Sandbox? {
        guard let row = try database.row(sql: "SELECT * FROM sandbox WHERE id = ?", arguments: [id]) else {
            return nil
        }
        let places = try database.rows(
            sql: "SELECT * FROM place WHERE sandbox = ? AND container IS NULL", arguments: [id])
        return try Sandbox(row, places: places.map(PlaceRow.init))
    }
}
