internal import Foundation
internal import GRDB
internal import LinuxSystem
internal import Synchronization

/// What podreap records about the sandboxes of a node: one SQLite file, which several processes may have open at once.
///
/// Each call is one transaction: it happens as a whole or not at all, and what it returns was true at one instant. A
/// call blocks for the time of its transaction, and at most until its deadline or for `busyTimeout` longer if another
/// process writes.
public final class Registry: Sendable {
    /// How long a call without a deadline waits for another process's transaction.
    public static let busyTimeout = Duration.seconds(5)
    /// The most ids that an error lists.
    public static let maximumCandidates = 16
    /// How many of the newest reports are kept in all and of one pod; a stuck pod does not displace the others'
    /// reports.
    public static let keptReports = 1000
    public static let keptReportsOfPod = 20

    public let path: String
    /// The path with symbolic links resolved.
    let resolvedPath: String
    /// Keeps two processes from working on one sandbox at once.
    let lockFile: LockFile
    /// The lock file's identity, once it is known that no other lock file of this registry is in use.
    let onlyLockFile = Mutex<FileStatus.Identity?>(nil)
    private let connections: Connections

    /// Opens the registry at `path`, or creates it with mode 0600; its directory must exist. SQLite keeps two files
    /// beside it (`-wal`, `-shm`), so the directory must be writable too. On a full filesystem, or one that is mounted
    /// read-only, the registry can still be read, and writing throws `.full` or `.notWritable`.
    ///
    /// - Parameter deadline: Until when to wait for other processes that keep the file locked, `busyTimeout` from now at
    ///   the latest; then throws `.busy`.
    public init(path: String, until deadline: ContinuousClock.Instant? = nil) throws(RegistryError) {
        try Self.prepareFile(path)
        self.path = path
        // SQLite's two files and the lock file lie beside the file itself, whatever name it is opened by.
        let resolved = LinuxSystem.resolvedPath(path) ?? path
        resolvedPath = resolved
        Self.keepDamagedLog(of: resolved)
        do {
            lockFile = try LockFile(beside: resolved)
            connections = try Connections(resolved, givenAs: path, until: deadline)
        } catch let error as Errno {
            throw .notWritable(path: path, errno: error.number)
        } catch {
            throw RegistryError(error, path: path)
        }
        makeLockFile(until: deadline)
    }

    /// What a transaction must survive.
    enum Durability {
        /// The end of this process and of every other. A power loss may undo it, together with the later ones.
        case processes
        /// A power loss too: waits for the disk once.
        case power
        /// Damage to SQLite's log as well: waits for the disk twice more.
        case medium
    }

    /// Runs `body` in one transaction; `body` writes nothing.
    func read<Value>(_ body: (Database) throws -> Value) throws(RegistryError) -> Value {
        do { return try connections.read(body) } catch { throw RegistryError(error, path: path) }
    }

    /// - Parameter deadline: Until when the transaction has to begin; nil for `busyTimeout` from now.
    func write<Value>(
        _ durability: Durability = .processes, until deadline: ContinuousClock.Instant? = nil,
        _ body: (Database) throws -> Value
    ) throws(RegistryError) -> Value {
        do {
            return try connections.write(durability, until: deadline, body)
        } catch {
            throw RegistryError(error, path: path)
        }
    }

    /// Closing any descriptor of the file drops every lock that this process has on it (fcntl(2)), including SQLite's.
    /// This lock makes sure that only SQLite has the file open when another thread opens the registry.
    private static let creating = Mutex(())

    /// SQLite opens a file that it may not write as read-only and reports this only later, so it is checked here first.
    private static func prepareFile(_ path: String) throws(RegistryError) {
        let parent = (path as NSString).deletingLastPathComponent
        let directory = parent.isEmpty ? "." : parent
        func kind(of path: String) -> FileStatus.Kind? { try? FileStatus.of(path, followsLink: true).kind }
        guard kind(of: directory) == .directory else {
            throw .noDirectory(path: path, directory: directory)
        }
        // A registry on a filesystem that cannot be written can still be read.
        let isThere = kind(of: path) == .regular
        func isInTheWay(_ error: Errno) -> Bool { !(isThere && error == .readOnlyFilesystem) }
        if let error = refusal(toWrite: directory, search: true), isInTheWay(error) {
            throw .notWritable(path: directory, errno: error.number)
        }
        try checkOwner(path)
        do {
            try creating.withLock { _ in if kind(of: path) == nil { try createPrivateFile(path) } }
        } catch let error as Errno {
            throw .notWritable(path: path, errno: error.number)
        } catch {
            throw RegistryError(error, path: path)
        }
        guard kind(of: path) == .regular else { throw .notAFile(path: path) }
        for file in [path, path + "-wal", path + "-shm"] where kind(of: file) != nil {
            if let error = refusal(toWrite: file, search: false), isInTheWay(error) {
                throw .notWritable(path: file, errno: error.number)
            }
        }
    }

    /// Reads the whole file; throws `.corrupt` with SQLite's first finding if it is damaged.
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
