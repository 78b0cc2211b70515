internal import CSELinux
internal import EventLoop
internal import GRDB
internal import GRDBSQLite
internal import Glibc

/// The module's only calls into C.
enum SystemCalls {
    /// Whether a file exists, and its kind.
    enum FileKind { case missing, directory, regular, other }

    static let readOnlyFilesystem = EROFS
    static let accessDenied = EACCES
    static let notPermitted = EPERM
    static let noEntry = ENOENT
    static let stale = ESTALE

    /// stat(2), following symbolic links.
    static func kind(of path: String) -> FileKind {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .regular
        default: return .other
        }
    }

    /// access(2); nil if access is granted, else the errno.
    static func refusal(toWrite path: String, search: Bool) -> Int32? {
        unsafe access(path, R_OK | W_OK | (search ? X_OK : 0)) == 0 ? nil : errno
    }

    /// Creates an empty file with mode 0600, or leaves an existing one unchanged; nil on success, else the errno.
    static func createPrivateFile(_ path: String) -> Int32? {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            return nil
        }
        return errno == EEXIST ? nil : errno
    }

    /// The level of a context by libselinux's context_new(3); nil if the text is not a context, empty if the context
    /// has no level. libselinux only parses here; SELinux need not be enabled.
    static func level(ofContext text: String) -> String? {
        guard let context = unsafe context_new(text) else { return nil }
        defer { unsafe context_free(context) }
        guard let range = unsafe context_range_get(context) else { return "" }
        return unsafe String(cString: range)
    }
}

/// An open file or directory, closed when this value is destroyed.
struct Descriptor: ~Copyable, Sendable {
    private let number: Int32

    private init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    borrowing func raw() -> Int32 { number }

    /// Tells a file from every other file that exists at the same time.
    struct Identity: Sendable, Equatable {
        let device: UInt64
        let inode: UInt64
    }

    /// Opens a directory, only for opening the files in it. Throws the errno.
    static func directory(_ path: String) throws(LockError) -> Descriptor {
        // Glibc makes O_PATH visible to C only.
        try Descriptor(checking: unsafe open(path, 0o10000000 | O_DIRECTORY | O_CLOEXEC))
    }

    /// Opens a file of this directory for locking: for writing if this process may, else for reading. nil if there is
    /// none.
    borrowing func file(_ name: String) throws(LockError) -> Descriptor? {
        mayBlock()
        for access in [O_RDWR, O_RDONLY] {
            let file = unsafe openat(number, name, access | O_NOFOLLOW | O_CLOEXEC)
            if file >= 0 { return Descriptor(file) }
            let error = errno
            if error == ENOENT { return nil }
            // The filesystem is mounted read-only, or the file belongs to another user.
            guard access == O_RDWR, [EROFS, EACCES, EPERM].contains(error) else { throw LockError(error) }
        }
        return nil
    }

    /// Creates a file with mode 0600 in this directory. If this process is root, the file gets the owner and group of
    /// the file `owner`. nil if the file exists already.
    borrowing func newFile(_ name: String, ownedLike owner: String) throws(LockError) -> Descriptor? {
        let file = unsafe openat(number, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            if errno == EEXIST { return nil }
            throw LockError(errno)
        }
        var found = stat()
        if geteuid() == 0, unsafe fstatat(number, owner, &found, 0) == 0 { fchown(file, found.st_uid, found.st_gid) }
        return Descriptor(file)
    }

    /// Removes an empty directory from this directory; does nothing if it is missing or not empty.
    borrowing func removeDirectory(_ name: String) { _ = unsafe unlinkat(number, name, Int32(AT_REMOVEDIR)) }

    var identity: Identity? {
        var found = stat()
        return unsafe fstat(number, &found) == 0 ? Identity(found) : nil
    }

    /// The identity of the file that has this name in this directory now.
    borrowing func identity(of name: String) -> Identity? {
        var found = stat()
        return unsafe fstatat(number, name, &found, AT_SYMLINK_NOFOLLOW) == 0 ? Identity(found) : nil
    }

    borrowing func read(_ count: Int, at offset: Int64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe pread(number, &bytes, count, off_t(offset))
        return Array(bytes[..<max(0, read)])
    }

    /// Returns whether all bytes were written.
    @discardableResult
    borrowing func write(_ bytes: [UInt8], at offset: Int64) -> Bool {
        mayBlock()
        return unsafe pwrite(number, bytes, bytes.count, off_t(offset)) == bytes.count
    }

    // MARK: Locks that belong to the open file, not to the process (fcntl(2), "Open file description locks")

    // Glibc makes these visible to C only.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    /// Takes a shared lock on a byte. False if somebody has an exclusive lock on it.
    borrowing func share(_ byte: Int64) throws(LockError) -> Bool {
        if set(F_RDLCK, byte) { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        throw LockError(errno)
    }

    borrowing func unlock(_ byte: Int64) { _ = set(F_UNLCK, byte) }

    /// Whether a byte is locked through any other open file.
    borrowing func isLockedByOther(_ byte: Int64) throws(LockError) -> Bool {
        var lock = Self.flock(F_WRLCK, byte)
        while unsafe fcntl(number, Self.getLock, &lock) != 0 {
            if errno != EINTR { throw LockError(errno) }
        }
        return lock.l_type != Int16(F_UNLCK)
    }

    private borrowing func set(_ type: Int32, _ byte: Int64) -> Bool {
        var lock = Self.flock(type, byte)
        while unsafe fcntl(number, Self.setLock, &lock) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    private static func flock(_ type: Int32, _ byte: Int64) -> Glibc.flock {
        Glibc.flock(
            l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(byte), l_len: 1, l_pid: 0)
    }

    private init(checking number: Int32) throws(LockError) {
        guard number >= 0 else { throw LockError(errno) }
        self.number = number
    }
}

extension Descriptor.Identity {
    fileprivate init(_ found: stat) { self.init(device: UInt64(found.st_dev), inode: UInt64(found.st_ino)) }
}

/// The error number of a failed call on the lock file (errno(3)).
package struct LockError: Error, Sendable, Equatable {
    package let errno: Int32
    package init(_ errno: Int32) { self.errno = errno }
}

extension SystemCalls {
    static func isMissingOrEmpty(_ path: String) -> Bool {
        var found = stat()
        return unsafe lstat(path, &found) != 0 ? errno == ENOENT : found.st_size == 0
    }

    static func isMissing(_ path: String) -> Bool {
        var found = stat()
        return unsafe lstat(path, &found) != 0
    }

    static func inode(of path: String) -> UInt64? {
        var found = stat()
        return unsafe lstat(path, &found) == 0 ? UInt64(found.st_ino) : nil
    }

    static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

    /// The path with symbolic links resolved (realpath(3)); nil if nothing is there.
    static func resolved(_ path: String) -> String? {
        guard let found = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// The whole content of a file; nil if it cannot be read.
    static func kernelText(_ path: String) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe read(file, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }
}

extension Database {
    /// Makes SQLite keep its log and the log's index when the last connection is closed (SQLITE_FCNTL_PERSIST_WAL).
    func keepLog() {
        var isKept: Int32 = 1
        _ = unsafe sqlite3_file_control(sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &isKept)
    }

    /// Whether SQLite could open the file for reading only.
    var isReadOnlyFile: Bool { unsafe sqlite3_db_readonly(sqliteConnection, "main") == 1 }
}
