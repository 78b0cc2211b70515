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

    /// Gives a cgroup that others live in to one of them, so that the last one's end removes it. Doing so twice is fine.
    package func bequeathCgroup(_ path: String, of id: String, to heir: String) throws(RegistryError) {
        try write { database in
            try database.perform(
                sql: """
                    UPDATE cgroup SET container = ?2 WHERE container = ?1 AND path = ?3
                        AND EXISTS (SELECT 1 FROM container WHERE id = ?2)
                        AND NOT EXISTS (SELECT 1 FROM cgroup WHERE container = ?2 AND path = ?3)
                    """,
                arguments: [id, heir, path])
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
