internal import Dispatch
internal import Foundation
internal import GRDB
internal import LinuxSystem
internal import Synchronization

/// The SQLite connections of one registry: one at a time writes, and several read without waiting for a writer.
///
/// While a process has the registry open, nothing but SQLite may open or close its file: closing any descriptor of it
/// drops all locks that the process has on it (fcntl(2)).
final class Connections: Sendable {
    /// How a file was opened.
    enum Access: Sendable, Equatable {
        /// The file can be read and written.
        case full
        /// There is no space for SQLite's two other files, or the filesystem is mounted read-only. Each transaction
        /// opens the file anew, because the next one may find full access.
        case reduced
    }

    private final class Connection: Sendable {
        let database: DatabaseQueue
        let access: Access
        let durability = Mutex<Registry.Durability?>(nil)

        init(_ database: DatabaseQueue, _ access: Access) {
            self.database = database
            self.access = access
        }
    }

    private static let most = 5
    /// The path with symbolic links resolved.
    private let path: String
    /// An absolute path by which the file was opened, and the file that was there.
    private let opened: (by: String, identity: FileStatus.Identity)
    /// The connections not in use. The most recently used one is taken first; most processes need no other.
    private let idle = Mutex<[Connection]>([])
    private let places = DispatchSemaphore(value: most)
    private let writing = DispatchSemaphore(value: 1)
    /// Whether a reader kept the last copy of the log from being whole.
    private let isLogKept = Atomic(false)

    /// Opens the file, creates what is missing in it, and throws if something is wrong with it.
    ///
    /// - Parameters:
    ///   - given: The path before symbolic links were resolved.
    ///   - deadline: Until when to wait for other processes, `busyTimeout` from now at the latest.
    init(_ path: String, givenAs given: String, until deadline: ContinuousClock.Instant?) throws {
        self.path = path
        let first = try Self.open(path, until: deadline)
        let name = given.hasPrefix("/") ? given : path
        opened = (name, try FileStatus.of(name, followsLink: true).identity)
        if first.access == .full { idle.withLock { $0.append(first) } }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try using { connection in
            // GRDB's own read makes SQLite refuse to write, which takes longer than most of the reads here.
            try connection.database.unsafeRead { try Self.transaction(.deferred, $0, body) }
        }
    }

    /// - Parameter deadline: Until when the transaction has to begin.
    func write<Value>(
        _ durability: Registry.Durability, until deadline: ContinuousClock.Instant?, _ body: (Database) throws -> Value
    ) throws -> Value {
        let patience = try Self.patience(path, until: deadline)
        guard writing.wait(timeout: .now() + patience.inSeconds) == .success else {
            throw RegistryError.busy(path: path)
        }
        defer { writing.signal() }
        return try using(until: deadline) { connection in
            guard connection.access == .full else { throw Self.refusal(path) }
            return try connection.database.writeWithoutTransaction { database in
                // With synchronous FULL, SQLite syncs the log when a transaction commits, and with it all earlier
                // transactions. It cannot be set inside a transaction.
                if connection.durability.withLock({ $0 }) != durability {
                    try database.execute(sql: "PRAGMA synchronous = \(durability == .processes ? "NORMAL" : "FULL")")
                    connection.durability.withLock { $0 = durability }
                }
                // SQLite waits for other processes' transactions by itself.
                let patience = try Self.patience(path, until: deadline)
                if deadline != nil { database.wait(atMost: patience) }
                defer { if deadline != nil { database.wait(atMost: Registry.busyTimeout) } }
                let value = try Self.transaction(.immediate, database, body)
                if durability == .medium { copyLog(database) }
                return value
            }
        }
    }

    /// Copies the log into the file, so that its content survives whatever happens to the log. Readers block this, each
    /// only for a moment; for one that blocked it for a second, as a stopped one does, nobody waits again.
    private func copyLog(_ database: Database) {
        let deadline = ContinuousClock.now + (isLogKept.load(ordering: .relaxed) ? .zero : .seconds(1))
        while let row = try? Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(PASSIVE)") {
            let (log, copied): (Int, Int) = (row[1], row[2])
            isLogKept.store(log > copied && deadline <= .now, ordering: .relaxed)
            if log <= copied || deadline <= .now { return }
            pause(.milliseconds(5))
        }
    }

    /// How long to wait: until the deadline, or for `busyTimeout` if there is none.
    private static func patience(_ path: String, until deadline: ContinuousClock.Instant?) throws -> Duration {
        let left = deadline.map { $0 - .now } ?? Registry.busyTimeout
        guard left > .zero else { throw RegistryError.busy(path: path) }
        return left
    }

    private func using<Value>(
        until deadline: ContinuousClock.Instant? = nil, _ body: (Connection) throws -> Value
    ) throws -> Value {
        mayBlock()
        let patience = try Self.patience(path, until: deadline)
        guard places.wait(timeout: .now() + patience.inSeconds) == .success else {
            throw RegistryError.busy(path: path)
        }
        defer { places.signal() }
        let connection = try idle.withLock({ $0.popLast() }) ?? Self.open(path, until: deadline)
        defer { if connection.access == .full { idle.withLock { $0.append(connection) } } }
        try requireOpenedFile()
        return try body(connection)
    }

    /// Throws if the file was moved, deleted or replaced. What this process then wrote would be lost with the file that
    /// it has open, and what it read would be out of date: every other process uses the file that is at the path now.
    private func requireOpenedFile() throws {
        do throws(Errno) {
            if try FileStatus.of(opened.by, followsLink: true).identity == opened.identity { return }
        } catch {
            guard error == .noEntry else { throw error }
        }
        throw RegistryError.replaced(path: opened.by)
    }

    private static func transaction<Value>(
        _ kind: Database.TransactionKind, _ database: Database, _ body: (Database) throws -> Value
    ) throws -> Value {
        var value: Result<Value, any Error>?
        try database.inTransaction(kind) {
            value = .success(try body(database))
            return .commit
        }
        guard let value else { throw DatabaseError(message: "no transaction took place") }
        return try value.get()
    }

    /// Why the registry cannot be written.
    private static func refusal(_ path: String) -> RegistryError {
        let directory = (path as NSString).deletingLastPathComponent
        let refusal =
            LinuxSystem.refusal(toWrite: directory, search: true)
            ?? LinuxSystem.refusal(toWrite: path, search: false)
        return refusal.map { .notWritable(path: path, errno: $0.number) } ?? .full(path: path)
    }

    // MARK: Opening

    /// SQLite waits for a lock up to its timeout, except if processes that open a new file change its journal mode at
    /// the same time: one of them then fails at once, and only has to try again.
    private static func open(_ path: String, until deadline: ContinuousClock.Instant?) throws -> Connection {
        let last = ContinuousClock.now + min(try patience(path, until: deadline), Registry.busyTimeout)
        while true {
            do {
                return try openOnce(path, until: last)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && .now < last {
                pause(.milliseconds(10))
            }
        }
    }

    /// A removal must be able to read its records whatever the state of the disk, because the removal may be what frees
    /// space.
    private static func openOnce(_ path: String, until last: ContinuousClock.Instant) throws -> Connection {
        do {
            let database = try make(path, until: last)
            let isReadOnly = try database.unsafeRead { (database) throws in database.isReadOnlyFile }
            return Connection(database, isReadOnly ? .reduced : .full)
        } catch let error as DatabaseError where lacksRoom(error) {
            // The log is missing or empty, so the file itself is complete, and needs no lock because nobody can write.
            if Registry.isMissingOrEmpty(path + "-wal") {
                let name = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
                do {
                    return Connection(try make(path, as: "file:\(name)?immutable=1", until: last), .reduced)
                } catch is DatabaseError {}
            }
            // Without shared memory, one process at a time can read the file, for the length of a transaction.
            do {
                return Connection(try make(path, alone: true, until: last), .reduced)
            } catch is DatabaseError { throw error }
        }
    }

    /// Whether SQLite could not get its two other files, or space in them.
    private static func lacksRoom(_ error: DatabaseError) -> Bool {
        [.SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_FULL, .SQLITE_IOERR].contains(error.resultCode)
    }

    private static func make(
        _ path: String, alone: Bool = false, as name: String? = nil, until last: ContinuousClock.Instant
    ) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            if alone { try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
            // Keeps the two files, empty, so that they need not be created when no inode is left, or by a user who may
            // not create them.
            database.keepLog()
            try database.execute(sql: "PRAGMA journal_size_limit = 0")
        }
        configuration.busyMode = .timeout(max(.zero, last - .now).inSeconds)
        configuration.label = "podreap.registry"
        // Not GRDB's pool, because that writes to the file each time it is opened.
        let database = try DatabaseQueue(path: name ?? path, configuration: configuration)
        let version = try database.writeWithoutTransaction { database -> Int in
            defer { database.wait(atMost: Registry.busyTimeout) }
            switch try Schema.look(database) {
            case .foreign: throw RegistryError.foreign(path: path)
            case .registry(let version) where version > Schema.version:
                throw RegistryError.newerSchema(path: path, found: version, known: Schema.version)
            case .registry(let version) where version == Schema.version: return version
            case .registry(let version) where database.isReadOnlyFile: return version
            case .registry, .empty:
                try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
                try Schema.migrate(database)
                return Schema.version
            }
        }
        return version == Schema.version ? database : try migratedCopy(of: database)
    }

    /// A migrated copy in memory of an earlier podreap's registry that cannot be written.
    private static func migratedCopy(of database: DatabaseQueue) throws -> DatabaseQueue {
        let copy = try DatabaseQueue()
        try database.backup(to: copy)
        try copy.writeWithoutTransaction { database in
            try Schema.migrate(database)
            try database.execute(sql: "PRAGMA query_only = 1")
        }
        return copy
    }
}
