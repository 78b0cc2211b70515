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
    /// The newest reports that are kept, and of one pod so many: one that is stuck does not push out all others'.
    public static let keptReports = 1000
    public static let keptReportsOfPod = 20

    public let path: String
    /// The same without symbolic links.
    let resolvedPath: String
    /// Keeps two from working on one sandbox.
    let lockFile: LockFile
    /// The lock file, once it is known that no other of this registry is in use.
    let onlyLockFile = Mutex<Descriptor.Identity?>(nil)
    private let connections: Connections

    /// Opens the registry at `path`, or makes it with mode 0600 in a directory that must exist. SQLite keeps two
    /// files beside it (`-wal`, `-shm`), so its directory must be writable too. On a full filesystem, and on one that is mounted
    /// read-only, the registry can be read, and what would be written throws `.full` or `.notWritable`.
    public init(path: String) throws(RegistryError) {
        try Self.prepareFile(path)
        self.path = path
        // Whatever name it is opened by, SQLite's two files and the lock file lie beside the file itself.
        let resolved = SystemCalls.resolved(path) ?? path
        resolvedPath = resolved
        Self.keepDamagedLog(of: resolved)
        do {
            lockFile = try LockFile(beside: resolved)
            connections = try Connections(resolved)
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
        /// Damage of SQLite's log as well: waits for the disk twice more.
        case medium
    }

    /// One transaction that `body` writes nothing in.
    func read<Value>(_ body: (Database) throws -> Value) throws(RegistryError) -> Value {
        do { return try connections.read(body) } catch { throw RegistryError(error, path: path) }
    }

    func write<Value>(
        _ durability: Durability = .processes, _ body: (Database) throws -> Value
    ) throws(RegistryError) -> Value {
        do { return try connections.write(durability, body) } catch { throw RegistryError(error, path: path) }
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
        // What is on a filesystem that cannot be written can be read.
        let isThere = SystemCalls.kind(of: path) == .regular
        func isInTheWay(_ errno: Int32) -> Bool { !(isThere && errno == SystemCalls.readOnlyFilesystem) }
        if let errno = SystemCalls.refusal(toWrite: directory, search: true), isInTheWay(errno) {
            throw .notWritable(path: directory, errno: errno)
        }
        try checkOwner(path)
        let failure = creating.withLock { _ in
            SystemCalls.kind(of: path) == .missing ? SystemCalls.createPrivateFile(path) : nil
        }
        if let failure { throw .notWritable(path: path, errno: failure) }
        guard SystemCalls.kind(of: path) == .regular else { throw .notAFile(path: path) }
        for file in [path, path + "-wal", path + "-shm"] where SystemCalls.kind(of: file) != .missing {
            if let errno = SystemCalls.refusal(toWrite: file, search: false), isInTheWay(errno) {
                throw .notWritable(path: file, errno: errno)
            }
        }
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
