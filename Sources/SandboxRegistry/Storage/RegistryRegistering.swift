internal import GRDB

extension Registry {
    /// Registers a sandbox with its containers and reserves their names: all or nothing. Survives a power loss.
    ///
    /// - Parameters:
    ///   - clock: Recorded too, so that a later `gc` knows how old things are.
    ///   - deadline: Throws `.busy` if the transaction cannot begin by then.
    package func register(
        _ sandbox: Sandbox, _ containers: [Container], clock: ClockReading? = nil,
        until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(.medium, until: deadline) { database in
            if let clock { try Self.noteClock(clock, database) }
            try RecordCheck(sandbox, containers).run()
            if let held = try Self.sandbox(sandbox.id, database) {
                if held.state == .removing { throw RegistryError.beingRemoved(id: held.id) }
                throw RegistryError.idHeld(.sandbox, id: held.id, pod: held.metadata.reservedName)
            }
            try Self.refuseHeldName(.sandbox, sandbox.metadata.reservedName, database)
            try Self.refuseHeldPaths(sandbox.places.filter { !$0.closed }.map(\.path), of: sandbox.id, database)
            try sandbox.insert(database)
            try Self.reserve(.sandbox, sandbox.metadata.reservedName, holder: sandbox.id, of: sandbox.id, database)
            for container in containers { try Self.insert(container, into: sandbox, database) }
            try Self.noteShortIDs([sandbox.id] + containers.map(\.id), database)
        }
    }

    /// Registers further containers into a sandbox: all or nothing. Throws `.beingRemoved` once the sandbox is marked
    /// as being removed. Survives a power loss.
    ///
    /// - Parameter deadline: As above.
    package func register(
        _ containers: [Container], into sandboxID: String, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(.medium, until: deadline) { database in
            guard let sandbox = try Self.sandbox(sandboxID, database) else {
                throw RegistryError.unknownSandbox(id: sandboxID)
            }
            if sandbox.state == .removing { throw RegistryError.beingRemoved(id: sandboxID) }
            try RecordCheck(sandbox, containers).checkContainers()
            for container in containers { try Self.insert(container, into: sandbox, database) }
            try Self.noteShortIDs(containers.map(\.id), database)
        }
    }

    private static func insert(_ container: Container, into sandbox: Sandbox, _ database: Database) throws {
        let pod = try database.string(
            sql: """
                SELECT name.name FROM container JOIN name USING (sandbox)
                WHERE container.id = ? AND name.kind = 'sandbox'
                """,
            arguments: [container.id])
        if let pod { throw RegistryError.idHeld(.container, id: container.id, pod: pod) }
        let name = container.reservedName(in: sandbox.metadata)
        try refuseHeldName(.container, name, database)
        try refuseHeldPaths(container.directories.map(\.path), of: sandbox.id, database)
        try container.insert(database)
        try reserve(.container, name, holder: container.id, of: sandbox.id, database)
    }

    private static func refuseHeldName(_ kind: RegistryError.Kind, _ name: String, _ database: Database) throws {
        let holder = try database.string(
            sql: "SELECT holder FROM name WHERE kind = ? AND name = ?", arguments: [kind.rawValue, name])
        if let holder { throw RegistryError.nameHeld(kind, name: name, holder: holder) }
    }

    private static func reserve(
        _ kind: RegistryError.Kind, _ name: String, holder: String, of sandbox: String, _ database: Database
    ) throws {
        try database.perform(
            sql: "INSERT INTO name (kind, name, holder, sandbox) VALUES (?, ?, ?, ?)",
            arguments: [kind.rawValue, name, holder, sandbox])
    }

    /// The removal of one sandbox must not delete what belongs to another: no path may be, contain, or lie beneath a
    /// path that another sandbox still has. The host's shm belongs to no sandbox.
    private static func refuseHeldPaths(_ paths: [String], of sandbox: String, _ database: Database) throws {
        for path in paths where path != Sandbox.hostShm {
            let above = pathsAbove(path)
            let marks = databaseQuestionMarks(count: above.count)
            // "0" follows "/" in ASCII, so every path beneath lies between the two.
            let row = try database.row(
                sql: """
                    SELECT path, sandbox FROM place
                    WHERE (path IN (\(marks)) OR (path > ? AND path < ?))
                        AND sandbox <> ? AND closed = 0 AND path <> ?
                    LIMIT 1
                    """,
                arguments: StatementArguments(above + [path + "/", path + "0", sandbox, Sandbox.hostShm]))
            if let row { throw RegistryError.pathHeld(path: path, by: row["path"], holder: row["sandbox"]) }
        }
    }
}
