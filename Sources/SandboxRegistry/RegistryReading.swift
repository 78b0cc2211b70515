internal import GRDB

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

    /// The containers that are not forgotten yet, as they were registered. Empty for an unknown sandbox.
    public func containers(of sandboxID: String) throws(RegistryError) -> [Container] {
        try read { database in
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
                    cgroups: cgroupsOf[row["id"], default: []].map { $0["path"] })
            }
        }
    }

    /// The SELinux levels that registered sandboxes carry, and how many each; a level is free once it is not here.
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
