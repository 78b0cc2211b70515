internal import GRDB

// Each of these throws `.busy` if its transaction cannot begin by the deadline; it then never begins.

extension Registry {
    /// Marks a sandbox as being removed, permanently: from now on nothing can be registered into it. Idempotent.
    ///
    /// Survives a power loss, unlike the steps that follow. If the mark were lost, a pod with half of its directories
    /// deleted would look ready, and accept containers. A later step that is lost is only repeated and found done. A
    /// removal therefore waits for the disk once, here, and may do so while it asks for the containers' states.
    package func markRemoving(_ id: String, until deadline: ContinuousClock.Instant? = nil) throws(RegistryError) {
        try write(.power, until: deadline) { database in
            try Self.requireSandbox(id, database)
            // An existing mark was synced when it was made, and a transaction that writes nothing costs nothing.
            try database.perform(
                sql: "UPDATE sandbox SET state = 'removing' WHERE id = ? AND state <> 'removing'", arguments: [id])
        }
    }

    /// Marks a sandbox as stopped. A sandbox that is being removed stays so.
    package func markNotReady(_ id: String, until deadline: ContinuousClock.Instant? = nil) throws(RegistryError) {
        try write(until: deadline) { database in
            try Self.requireSandbox(id, database)
            try database.perform(
                sql: "UPDATE sandbox SET state = 'notReady' WHERE id = ? AND state = 'ready'", arguments: [id])
        }
    }

    /// Records that the namespace pinned at `path` was deleted. Idempotent.
    package func closeNamespace(
        _ path: String, of id: String, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(until: deadline) { database in
            try Self.requireSandbox(id, database)
            try database.perform(
                sql: """
                    UPDATE place SET closed = 1
                    WHERE sandbox = ? AND path = ? AND role IN ('network', 'ipc', 'uts', 'user')
                    """,
                arguments: [id, path])
            if database.changesCount == 0 { throw RegistryError.unknownNamespace(path: path, sandbox: id) }
        }
    }

    /// Forgets a container of which nothing is left, and releases its name; the infra container's name stays reserved
    /// until its sandbox is forgotten. Does nothing if the container is unknown, because somebody else has forgotten
    /// it.
    package func forgetContainer(_ id: String, until deadline: ContinuousClock.Instant? = nil) throws(RegistryError) {
        try forgetContainers([id], until: deadline)
    }

    /// The same for several, in one transaction.
    package func forgetContainers(
        _ ids: [String], until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(until: deadline) { database in
            for id in ids {
                try database.perform(
                    sql: """
                        DELETE FROM name INDEXED BY name_by_sandbox WHERE kind = 'container' AND holder = ?1
                            AND sandbox = (SELECT sandbox FROM container WHERE id = ?1 AND infra = 0)
                        """,
                    arguments: [id])
                try database.perform(sql: "DELETE FROM container WHERE id = ?", arguments: [id])
            }
        }
    }

    /// Records cgroups of a container that was registered before it had them. Ignores cgroups that are recorded
    /// already, and an unknown container.
    package func recordCgroups(
        _ cgroups: [String: FileIdentity], of id: String, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(until: deadline) { database in
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

    /// Leaves a cgroup to a container that lives in it or beneath it, so that it is removed when the last such
    /// container ends. Idempotent; does nothing if the cgroup is the heir's own too, or if the heir is unknown.
    package func bequeathCgroup(
        _ path: String, _ identity: FileIdentity, to heir: String, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(until: deadline) { database in
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
        try read { database in try Self.heirs(database) }
    }

    static func heirs(_ database: Database) throws -> Set<String> {
        Set(try database.strings(sql: "SELECT container FROM inherited_cgroup", arguments: []))
    }

    /// The cgroups that others have left to a container. Nothing in those cgroups belongs to the container.
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

    /// Forgets a sandbox of which nothing is left, in one transaction: releases its own and its infra container's name,
    /// counts down its level, and stores the report. Returns false, and stores no report, if the sandbox is unknown,
    /// because somebody else was first.
    ///
    /// - Parameter gone: Its workload containers of which nothing is left either, and which are forgotten with it.
    ///   Throws `.containersLeft` if it has others.
    @discardableResult
    package func forgetSandbox(
        _ id: String, with gone: [String] = [], report: StoredReport, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) -> Bool {
        try write(until: deadline) { database in
            guard try Self.exists(id, database) else { return false }
            let left = try database.strings(
                sql: "SELECT id FROM container WHERE sandbox = ? AND infra = 0 ORDER BY number", arguments: [id]
            ).filter { !gone.contains($0) }.prefix(Self.maximumCandidates)
            if !left.isEmpty { throw RegistryError.containersLeft(sandbox: id, containers: Array(left)) }
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
