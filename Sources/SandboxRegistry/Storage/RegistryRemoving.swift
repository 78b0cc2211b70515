internal import GRDB

extension Registry {
    /// Marks a sandbox as being removed, for good: nothing can be registered into it from here on. Marking twice is
    /// fine.
    ///
    /// Survives a power loss, unlike the steps that follow: were the mark lost, a pod with half of its directories
    /// deleted would look ready, and take containers. A lost step is only seen again and found done. So a removal
    /// waits for the disk once, here, and may do it while it asks for the containers' states.
    package func markRemoving(_ id: String) throws(RegistryError) {
        try write(.power) { database in
            try Self.requireSandbox(id, database)
            // A mark that is there was synced when it was made, and writing nothing costs nothing.
            try database.perform(
                sql: "UPDATE sandbox SET state = 'removing' WHERE id = ? AND state <> 'removing'", arguments: [id])
        }
    }

    /// Marks a sandbox as stopped. One that is being removed stays so.
    package func markNotReady(_ id: String) throws(RegistryError) {
        try write { database in
            try Self.requireSandbox(id, database)
            try database.perform(
                sql: "UPDATE sandbox SET state = 'notReady' WHERE id = ? AND state = 'ready'", arguments: [id])
        }
    }

    /// Notes that the namespace pinned at `path` was deleted. Closing twice is fine.
    package func closeNamespace(_ path: String, of id: String) throws(RegistryError) {
        try write { database in
            try Self.requireSandbox(id, database)
            try database.perform(
                sql: """
                    UPDATE place SET closed = 1
                    WHERE sandbox = ? AND path = ? AND role IN ('network', 'ipc', 'uts')
                    """,
                arguments: [id, path])
            if database.changesCount == 0 { throw RegistryError.unknownNamespace(path: path, sandbox: id) }
        }
    }

    /// Forgets a container whose remains are gone, and releases its name; the infra container's name stays reserved
    /// until its sandbox is forgotten. Forgetting an unknown container is fine: somebody did.
    package func forgetContainer(_ id: String) throws(RegistryError) {
        try write { database in
            try database.perform(
                sql: """
                    DELETE FROM name INDEXED BY name_by_sandbox WHERE kind = 'container' AND holder = ?1
                        AND sandbox = (SELECT sandbox FROM container WHERE id = ?1 AND infra = 0)
                    """,
                arguments: [id])
            try database.perform(sql: "DELETE FROM container WHERE id = ?", arguments: [id])
        }
    }

    /// Records cgroups of a container that was registered before it had them; those that are known, and an unknown container's, are not.
    package func recordCgroups(_ cgroups: [String: FileIdentity], of id: String) throws(RegistryError) {
        try write { database in
            for (path, identity) in cgroups {
                try database.perform(
                    sql: """
                        INSERT INTO cgroup (container, path, device, inode) SELECT ?1, ?2, ?3, ?4
                        WHERE EXISTS (SELECT 1 FROM container WHERE id = ?1)
                            AND NOT EXISTS (SELECT 1 FROM cgroup WHERE container = ?1 AND path = ?2)
                        """,
                    arguments: [id, path, Int64(bitPattern: identity.device), Int64(bitPattern: identity.inode)])
            }
        }
    }

    /// Leaves a cgroup to one of those that live in it or beneath it, so that the last one's end removes it. Doing so twice, or for a
    /// container whose own it is too, or that is unknown, is fine.
    package func bequeathCgroup(
        _ path: String, _ identity: FileIdentity, to heir: String
    ) throws(RegistryError) {
        try write { database in
            try database.perform(
                sql: """
                    INSERT OR REPLACE INTO inherited_cgroup (container, path, device, inode) SELECT ?1, ?2, ?3, ?4
                    WHERE EXISTS (SELECT 1 FROM container WHERE id = ?1)
                        AND NOT EXISTS (SELECT 1 FROM cgroup WHERE container = ?1 AND path = ?2)
                    """,
                arguments: [heir, path, Int64(bitPattern: identity.device), Int64(bitPattern: identity.inode)])
        }
    }

    /// The containers to which others have left cgroups.
    package func heirs() throws(RegistryError) -> Set<String> {
        try read { database in Set(try database.strings(sql: "SELECT container FROM inherited_cgroup", arguments: [])) }
    }

    /// What others have left to a container: nothing that is in those cgroups is its own.
    package func inheritedCgroups(of id: String) throws(RegistryError) -> [(path: String, identity: FileIdentity)] {
        try read { database in
            try database.rows(
                sql: "SELECT path, device, inode FROM inherited_cgroup WHERE container = ?", arguments: [id]
            ).map { row in
                let (device, inode): (Int64, Int64) = (row["device"], row["inode"])
                let identity = FileIdentity(
                    device: UInt64(bitPattern: device), inode: UInt64(bitPattern: inode), birth: 0)
                return (row["path"], identity)
            }
        }
    }

    /// Forgets a sandbox of which nothing is left, in one transaction: its infra container's and its own name are
    /// released, its level is counted down, and the report is kept. Throws `.containersLeft` while it still has
    /// workload containers. Returns false, and keeps no report, where the sandbox is unknown: somebody else was first.
    @discardableResult
    package func forgetSandbox(_ id: String, report: StoredReport) throws(RegistryError) -> Bool {
        try write { database in
            guard try Self.exists(id, database) else { return false }
            let left = try database.strings(
                sql: "SELECT id FROM container WHERE sandbox = ? AND infra = 0 ORDER BY number LIMIT ?",
                arguments: [id, Self.maximumCandidates])
            if !left.isEmpty { throw RegistryError.containersLeft(sandbox: id, containers: left) }
            for table in ["container", "name", "level"] {
                try database.perform(sql: "DELETE FROM \(table) WHERE sandbox = ?", arguments: [id])
            }
            try database.perform(sql: "DELETE FROM sandbox WHERE id = ?", arguments: [id])
            try Self.keep(report, database)
            return true
        }
    }

    private static func exists(_ id: String, _ database: Database) throws -> Bool {
        try database.row(sql: "SELECT 1 FROM sandbox WHERE id = ?", arguments: [id]) != nil
    }

    private static func requireSandbox(_ id: String, _ database: Database) throws {
        guard try exists(id, database) else { throw RegistryError.unknownSandbox(id: id) }
    }
}
