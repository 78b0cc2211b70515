internal import GRDB

/// The registry's tables. `user_version` holds the schema's version; each version is one function, which never changes
/// once it is released.
enum Schema {
    /// "podr": tells the registry from any other SQLite database (PRAGMA application_id).
    static let applicationID = 0x706f_6472
    static let version = migrations.count

    private static let migrations: [@Sendable (Database) throws -> Void] = [version1, version2, version3, version4]

    /// What a file contains, before anything is written to it.
    enum Finding { case empty, registry(version: Int), foreign }

    /// Reads in one transaction, because another process may be creating the tables at the same time.
    static func look(_ database: Database) throws -> Finding {
        var finding = Finding.foreign
        try database.inTransaction(.deferred) {
            let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
            let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
            if application == applicationID {
                finding = .registry(version: version)
            } else if application == 0, version == 0, tables == 0 {
                finding = .empty
            }
            return .commit
        }
        return finding
    }

    /// Brings the schema up to date in one transaction: of several processes that open a new file, one migrates it and
    /// the others find it migrated. (GRDB's migrator checks the version outside the transaction in which it migrates.)
    static func migrate(_ database: Database) throws {
        try database.inTransaction(.immediate) {
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            if found < version {
                for migration in migrations[found...] { try migration(database) }
                try database.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
            }
            return .commit
        }
    }

    /// Times are microseconds since 1970; device, inode, birth and start time are unsigned 64 bits stored as signed.
    private static func version1(_ database: Database) throws {
        try make(tables, database)
    }

    /// Adds identities beside names, which are NULL in what version 1 recorded, and marks, which stay true for ever.
    /// Version 1 made no marks, and keeps no trace of a container that was removed alone: if it has registered
    /// anything, that may have been a short id, so the mark is set.
    private static func version2(_ database: Database) throws {
        try make([marks, lockFiles, inheritedCgroups, clocks].joined(separator: "\n"), database)
        try database.execute(
            sql: """
                INSERT INTO mark (name) SELECT ? WHERE EXISTS (SELECT 1 FROM sandbox) OR EXISTS (SELECT 1 FROM report)
                """,
            arguments: [Mark.shortHexID.rawValue])
        try database.execute(
            sql: """
                ALTER TABLE container ADD COLUMN process_inode INTEGER;
                ALTER TABLE container ADD COLUMN state_device INTEGER;
                ALTER TABLE container ADD COLUMN state_inode INTEGER;
                ALTER TABLE container ADD COLUMN state_birth INTEGER;
                ALTER TABLE cgroup ADD COLUMN device INTEGER;
                ALTER TABLE cgroup ADD COLUMN inode INTEGER;
                ALTER TABLE place ADD COLUMN mount_id INTEGER;
                CREATE INDEX cgroup_by_path ON cgroup (path);
                CREATE INDEX report_by_pod ON report (rtrim(pod_name, '0123456789'), number);
                CREATE INDEX report_by_sandbox ON report (sandbox, number);
                """)
        try reserveAnew(database)
    }

    /// Adds what belongs to a pod itself. The columns are NULL for a pod that has nothing of the kind.
    private static func version3(_ database: Database) throws {
        try database.execute(
            sql: """
                ALTER TABLE sandbox ADD COLUMN cgroups TEXT CHECK (cgroups IS NULL OR json_valid(cgroups));
                ALTER TABLE sandbox ADD COLUMN monitors TEXT CHECK (monitors IS NULL OR json_valid(monitors));
                """)
    }

    /// A place may be the pin of a user namespace, too. SQLite changes no CHECK of a table, so it is made anew.
    private static func version4(_ database: Database) throws {
        try make(
            """
            CREATE TABLE place_4 (
                sandbox TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,
                container TEXT REFERENCES container (id) ON DELETE CASCADE,
                role TEXT NOT NULL CHECK (role IN ('directory', 'shm', 'network', 'ipc', 'uts', 'user')),
                path TEXT NOT NULL,
                closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
                device INTEGER,
                inode INTEGER,
                birth INTEGER,
                mount_id INTEGER,
                CHECK ((device IS NULL) = (inode IS NULL) AND (inode IS NULL) = (birth IS NULL)),
                CHECK (container IS NULL OR role = 'directory')
            ) STRICT;
            INSERT INTO place_4 (sandbox, container, role, path, closed, device, inode, birth, mount_id)
                SELECT sandbox, container, role, path, closed, device, inode, birth, mount_id FROM place ORDER BY rowid;
            DROP TABLE place;
            ALTER TABLE place_4 RENAME TO place;
            CREATE INDEX place_by_path ON place (path);
            CREATE INDEX place_by_sandbox ON place (sandbox);
            CREATE INDEX place_by_container ON place (container);
            CREATE UNIQUE INDEX one_of_each_role ON place (sandbox, role) WHERE container IS NULL;
            """, database)
    }

    /// Version 1 joined the parts of a name with underscores and did not escape those within a part, so that two
    /// different names could be reserved as the same. This computes the reserved names again.
    private static func reserveAnew(_ database: Database) throws {
        func part(_ column: String) -> String { "replace(replace(\(column), '%', '%25'), '_', '%5f')" }
        let pod = ["name", "namespace", "uid"].map { part("sandbox.\($0)") }.joined(separator: " || '_' || ")
        try database.execute(
            sql: """
                UPDATE name SET name = (
                    SELECT CASE name.kind
                        WHEN 'sandbox' THEN \(pod) || '_' || sandbox.attempt
                        ELSE coalesce(
                            (SELECT \(part("container.name")) || '_' || \(pod) || '_' || container.attempt
                            FROM container WHERE container.id = name.holder AND container.infra = 0),
                            'POD_' || \(pod) || '_' || sandbox.attempt)
                        END
                    FROM sandbox WHERE sandbox.id = name.sandbox)
                """)
    }

    private static func make(_ tables: String, _ database: Database) throws {
        let library = try String.fetchOne(database, sql: "SELECT sqlite_version()") ?? ""
        try database.execute(sql: hasStrictTables(library) ? tables : loose(tables))
    }

    /// The lock files that may be in use: one, unless somebody has deleted it (RegistryLocks.swift).
    static let lockFiles = """
        CREATE TABLE lock_file (
            file TEXT PRIMARY KEY NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// For this boot, the clock's time in seconds since 1970 less the seconds since boot, and each jump forward of the
    /// clock.
    static let clocks = """
        CREATE TABLE clock (
            boot_id TEXT PRIMARY KEY NOT NULL,
            offset REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE clock_jump (
            boot_id TEXT NOT NULL,
            before REAL NOT NULL,
            seconds REAL NOT NULL,
            PRIMARY KEY (boot_id, before)
        ) STRICT, WITHOUT ROWID;
        """

    /// Strict tables exist since SQLite 3.37. An older SQLite creates and opens the tables without STRICT. They then
    /// also accept values of another type, which this module never writes.
    static func hasStrictTables(_ library: String) -> Bool {
        let numbers = library.split(separator: ".").compactMap { Int($0) }
        return !numbers.lexicographicallyPrecedes([3, 37])
    }

    static func loose(_ tables: String) -> String {
        tables.replacing(") STRICT, ", with: ") ").replacing(") STRICT;", with: ");")
    }

    /// Cgroups of removed containers in or beneath which other containers still lived. The last of those containers
    /// removes the cgroup, if no process is in it.
    static let inheritedCgroups = """
        CREATE TABLE inherited_cgroup (
            container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            PRIMARY KEY (container, path)
        ) STRICT, WITHOUT ROWID;
        """

    static let marks = """
        CREATE TABLE mark (
            name TEXT PRIMARY KEY NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    static let tables = """
        CREATE TABLE sandbox (
            id TEXT PRIMARY KEY NOT NULL,
            name TEXT NOT NULL,
            namespace TEXT NOT NULL,
            uid TEXT NOT NULL,
            attempt INTEGER NOT NULL CHECK (attempt BETWEEN 0 AND 4294967295),
            created_at INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('ready', 'notReady', 'removing')),
            runtime TEXT NOT NULL,
            process_label TEXT NOT NULL,
            mount_label TEXT NOT NULL,
            boot_id TEXT,
            labels TEXT NOT NULL CHECK (json_valid(labels)),
            annotations TEXT NOT NULL CHECK (json_valid(annotations))
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE container (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            sandbox TEXT NOT NULL REFERENCES sandbox (id),
            infra INTEGER NOT NULL CHECK (infra IN (0, 1)),
            name TEXT NOT NULL,
            attempt INTEGER NOT NULL CHECK (attempt BETWEEN 0 AND 4294967295),
            created_at INTEGER NOT NULL,
            runtime TEXT NOT NULL,
            image TEXT NOT NULL,
            stop_signal INTEGER NOT NULL CHECK (stop_signal BETWEEN 1 AND 64),
            pid INTEGER CHECK (pid BETWEEN 1 AND 2147483647),
            start_time INTEGER,
            labels TEXT NOT NULL CHECK (json_valid(labels)),
            annotations TEXT NOT NULL CHECK (json_valid(annotations)),
            CHECK ((pid IS NULL) = (start_time IS NULL))
        ) STRICT;
        CREATE INDEX container_by_sandbox ON container (sandbox);
        CREATE UNIQUE INDEX one_infra_container ON container (sandbox) WHERE infra = 1;

        -- Everything with a path that a removal acts on; of the sandbox itself where container is null.
        CREATE TABLE place (
            sandbox TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,
            container TEXT REFERENCES container (id) ON DELETE CASCADE,
            role TEXT NOT NULL CHECK (role IN ('directory', 'shm', 'network', 'ipc', 'uts')),
            path TEXT NOT NULL,
            closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
            device INTEGER,
            inode INTEGER,
            birth INTEGER,
            CHECK ((device IS NULL) = (inode IS NULL) AND (inode IS NULL) = (birth IS NULL)),
            CHECK (container IS NULL OR role = 'directory')
        ) STRICT;
        CREATE INDEX place_by_path ON place (path);
        CREATE INDEX place_by_sandbox ON place (sandbox);
        CREATE INDEX place_by_container ON place (container);
        CREATE UNIQUE INDEX one_of_each_role ON place (sandbox, role) WHERE container IS NULL;

        CREATE TABLE cgroup (
            container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
            path TEXT NOT NULL
        ) STRICT;
        CREATE INDEX cgroup_by_container ON cgroup (container);

        -- Names are reserved while their row is here. The holder is an id; the infra container's name stays
        -- until its sandbox goes, so the holder need not be registered any more.
        CREATE TABLE name (
            kind TEXT NOT NULL CHECK (kind IN ('sandbox', 'container')),
            name TEXT NOT NULL,
            holder TEXT NOT NULL,
            sandbox TEXT NOT NULL REFERENCES sandbox (id),
            PRIMARY KEY (kind, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX name_by_sandbox ON name (sandbox);

        -- A level is in use once for each of its rows.
        CREATE TABLE level (
            sandbox TEXT NOT NULL REFERENCES sandbox (id),
            level TEXT NOT NULL,
            PRIMARY KEY (sandbox, level)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE report (
            number INTEGER PRIMARY KEY,
            sandbox TEXT NOT NULL,
            pod_name TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            duration REAL NOT NULL,
            outcome TEXT NOT NULL,
            body BLOB NOT NULL
        ) STRICT;
        """
}
