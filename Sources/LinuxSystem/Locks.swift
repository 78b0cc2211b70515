internal import CLinux
internal import Glibc

/// A directory that is open only for opening the files in it.
package struct LockDirectory: ~Copyable, Sendable {
    private let directory: Descriptor

    package init(_ path: String) throws(Errno) {
        // Glibc makes O_PATH visible to C only.
        let number = try checkCall(unsafe open(path, 0o10000000 | O_DIRECTORY | O_CLOEXEC))
        directory = Descriptor(owning: number)
    }

    /// Opens a file for locking: for writing if this process may, else for reading. nil if there is none.
    package borrowing func file(_ name: String) throws(Errno) -> Descriptor? {
        mayBlock()
        for access in [O_RDWR, O_RDONLY] {
            let file = unsafe openat(directory.number, name, access | O_NOFOLLOW | O_CLOEXEC)
            if file >= 0 { return Descriptor(owning: file) }
            let error = Errno.current
            if error == .noEntry { return nil }
            // The filesystem is mounted read-only, or the file belongs to another user.
            guard access == O_RDWR, [.readOnlyFilesystem, .access, .notPermitted].contains(error) else { throw error }
        }
        return nil
    }

    /// Creates a file with mode 0600. If this process is root, the file gets the owner and group of the file `owner`.
    /// nil if the file exists already.
    package borrowing func newFile(_ name: String, ownedLike owner: String) throws(Errno) -> Descriptor? {
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = unsafe openat(directory.number, name, flags, 0o600)
        guard file >= 0 else {
            if errno == EEXIST { return nil }
            throw .current
        }
        var found = stat()
        if geteuid() == 0, unsafe fstatat(directory.number, owner, &found, 0) == 0 {
            fchown(file, found.st_uid, found.st_gid)
        }
        return Descriptor(owning: file)
    }

    /// Removes an empty directory; does nothing if it is missing or not empty.
    package borrowing func removeDirectory(_ name: String) {
        _ = unsafe unlinkat(directory.number, name, Int32(AT_REMOVEDIR))
    }

    /// The identity of the file that has this name now.
    package borrowing func identity(of name: String) -> FileStatus.Identity? {
        var found = stat()
        return unsafe fstatat(directory.number, name, &found, AT_SYMLINK_NOFOLLOW) == 0
            ? FileStatus(found).identity : nil
    }
}

extension Descriptor {
    package var identity: FileStatus.Identity? { try? FileStatus.ofOpen(number).identity }

    // MARK: Locks that belong to the open file, not to the process (fcntl(2), "Open file description locks")

    // Glibc makes these visible to C only.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    /// Takes a shared lock on a byte. False if somebody has an exclusive lock on it.
    package borrowing func share(_ byte: Int64) throws(Errno) -> Bool {
        do throws(Errno) {
            try set(F_RDLCK, byte)
            return true
        } catch {
            if error == .again || error == .access { return false }
            throw error
        }
    }

    package borrowing func unlock(_ byte: Int64) { try? set(F_UNLCK, byte) }

    /// Whether a byte is locked through any other open file.
    package borrowing func isLockedByOther(_ byte: Int64) throws(Errno) -> Bool {
        var lock = Self.lock(F_WRLCK, byte)
        let file = number
        _ = try uninterrupted { unsafe fcntl(file, Self.getLock, &lock) }
        return lock.l_type != Int16(F_UNLCK)
    }

    private borrowing func set(_ type: Int32, _ byte: Int64) throws(Errno) {
        var lock = Self.lock(type, byte)
        let file = number
        _ = try uninterrupted { unsafe fcntl(file, Self.setLock, &lock) }
    }

    private static func lock(_ type: Int32, _ byte: Int64) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(byte), l_len: 1, l_pid: 0)
    }
}

/// Creates a file with mode 0600 if there is none, and locks it with flock(2) until the descriptor is closed; nil if
/// another process holds the lock.
package func lockWholeFile(_ path: String) throws(SystemCallError) -> Descriptor? {
    let number = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard number >= 0 else { throw SystemCallError("open", .current) }
    let file = Descriptor(owning: number)
    do throws(Errno) {
        _ = try uninterrupted { flock(number, LOCK_EX | LOCK_NB) }
        return file
    } catch {
        if error == .again { return nil }
        throw SystemCallError("flock", error)
    }
}
