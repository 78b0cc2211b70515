internal import Foundation
internal import GRDB
internal import Synchronization

/// What podreap knows of the sandboxes of a node: one SQLite file, which several processes may have open.
///
/// Each call is one transaction: it happens as a whole or not at all, and what it returns was true at one instant.
/// Calls block for the time of that transaction, at most `busyTimeout` longer where another process writes.
public final class Registry: Sendable {
    /// Seconds that a call waits for another process's transaction.
    public static let busyTimeout = 5.0
    /// The most ids that an error lists.
    public static let maximumCandidates = 16
    /// The newest reports that are kept.
    public static let keptReports = 1000

    public let path: String
    /// Keeps two from working on one sandbox.
    let lockFile: LockFile
    /// The lock file, once it is known that no other of this registry is in use.
    let onlyLockFile = Mutex<Descriptor.Identity?>(nil)
    private let database: DatabaseQueue
    /// What the connection is set to.
    private let current = Mutex<Durability?>(nil)

    /// Opens the registry at `path`, or makes it with mode 0600 in a directory that must exist. SQLite keeps two
    /// files beside it (`-wal`, `-shm`), so its directory must be writable too. Where a full filesystem leaves no room
    /// for them, the registry can be read, by one process at a time.
    public init(path: String) throws(RegistryError) {
        try Self.prepareFile(path)
        self.path = path
        // Whatever name it is opened by, SQLite's two files and the lock file lie beside the file itself.
        let resolved = SystemCalls.resolved(path) ?? path
        do {
            lockFile = try LockFile(beside: resolved)
            database = try Self.openPatiently(resolved)
        } catch let error as LockError {
            throw .notWritable(path: path, errno: error.errno)
        } catch {
            throw RegistryError(error, path: path)
        }
        makeLockFile()
    }

    /// How much a transaction must outlive.
    enum Durability {
        /// The end of this process and of every other. After a power loss it may be undone, in order with the later ones.
        case processes
        /// A power loss, too: waits for the disk once.
        case power
    }

    /// One transaction that `body` writes nothing in.
    func read<Value>(_ body: (Database) throws -> Value) throws(RegistryError) -> Value {
        do {
            // GRDB's own would have SQLite refuse to write, which takes longer than most of what is read here.
            return try database.unsafeRead { try Self.transaction(.deferred, $0, body) }
        } catch {
            throw RegistryError(error, path: path)
        }
    }

    func write<Value>(
        _ durability: Durability = .processes, _ body: (Database) throws -> Value
    ) throws(RegistryError) -> Value {
        do {
            return try database.writeWithoutTransaction { database in
                // Synchronous FULL syncs the log when a transaction commits, and with it all that were before.
                // It cannot be set inside a transaction.
                if current.withLock({ $0 }) != durability {
                    try database.execute(sql: "PRAGMA synchronous = \(durability == .power ? "FULL" : "NORMAL")")
                    current.withLock { $0 = durability }
                }
                return try Self.transaction(.immediate, database, body)
            }
        } catch {
            throw RegistryError(error, path: path)
        }
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

    /// Closing a descriptor of the file drops every lock that this process has on it (fcntl(2)), SQLite's too;
    /// so none may be open but SQLite's when another thread comes to open the registry.
    private static let creating = Mutex(())

    /// SQLite opens what it may not write read-only and says so only later; so this looks first.
    private static func prepareFile(_ path: String) throws(RegistryError) {
        let parent = (path as NSString).deletingLastPathComponent
        let directory = parent.isEmpty ? "." : parent
        guard SystemCalls.kind(of: directory) == .directory else {
            throw .noDirectory(path: path, directory: directory)
        }
        if let errno = SystemCalls.refusal(toWrite: directory, search: true) {
            throw .notWritable(path: directory, errno: errno)
        }
        let failure = creating.withLock { _ in
            SystemCalls.kind(of: path) == .missing ? SystemCalls.createPrivateFile(path) : nil
        }
        if let failure { throw .notWritable(path: path, errno: failure) }
        guard SystemCalls.kind(of: path) == .regular else { throw .notAFile(path: path) }
        for file in [path, path + "-wal", path + "-shm"] where SystemCalls.kind(of: file) != .missing {
            if let errno = SystemCalls.refusal(toWrite: file, search: false) {
                throw .notWritable(path: file, errno: errno)
            }
        }
    }

    /// SQLite waits for a lock as long as it was told, but not where processes that open a new file both want to
    /// change its journal mode: then one is refused at once, and has only to try again.
    private static func openPatiently(_ path: String) throws -> DatabaseQueue {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(busyTimeout)
        while true {
            do {
                return try open(path, alone: false)
            } catch let error as DatabaseError where lacksSharedMemory(error) {
                return try open(path, alone: true)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && clock.now < deadline {
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
    }

    /// Whether the 32 KiB of `-shm` that processes coordinate by could not be had: the filesystem is full. A removal
    /// must be able to read its records nevertheless, and may be what makes room.
    private static func lacksSharedMemory(_ error: DatabaseError) -> Bool {
        [.SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMMAP].contains(error.extendedResultCode)
    }

    /// `alone` needs no shared memory, and locks other processes out until this registry is released.
    private static func open(_ path: String, alone: Bool) throws -> DatabaseQueue {
        var configuration = Configuration()
        if alone {
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        }
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "podreap.registry"
        // Not the pool and not its WAL set-up: that writes to the file each time it is opened. Transactions here take
        // tens of microseconds, and one connection does them in turn.
        let database = try DatabaseQueue(path: path, configuration: configuration)
        try database.writeWithoutTransaction { database in
            switch try Schema.look(database) {
            case .foreign: throw RegistryError.foreign(path: path)
            case .registry(let version) where version > Schema.version:
                throw RegistryError.newerSchema(path: path, found: version, known: Schema.version)
            case .registry(let version) where version == Schema.version: break
            case .registry, .empty:
                try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
                try Schema.migrate(database)
            }
        }
        return database
    }

    /// Reads the whole file and throws `.corrupt` with SQLite's first finding where it is damaged.
    public func verify() throws(RegistryError) {
        try read { database in
            let finding = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
            if let finding, finding != "ok" { throw RegistryError.corrupt(path: path, detail: finding) }
            if let row = try Row.fetchOne(database, sql: "PRAGMA foreign_key_check") {
                let table: String = row[0]
                throw RegistryError.corrupt(path: path, detail: "a row of \(table) refers to one that is not there")
            }
        }
    }
}
