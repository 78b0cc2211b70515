internal import Glibc

/// An open file under an advisory lock (flock(2)), which ends with it.
struct LockedFile: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Opens a file, makes it if need be and `make` says so, and locks it. nil where another holds it and `wait` is false.
    /// Throws the error number.
    init?(_ path: String, wait: Bool, make: Bool = true) throws(LockError) {
        while true {
            let descriptor = unsafe open(path, O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { throw LockError(errno) }
            while flock(descriptor, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
                let error = errno
                if error == EINTR { continue }
                close(descriptor)
                if error == EWOULDBLOCK { return nil }
                throw LockError(error)
            }
            // Who held it before may have deleted the file: then a lock on it keeps nobody out.
            if Self.isStillThere(path, descriptor) {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }

    /// Deletes the file while it is locked, and lets go.
    consuming func removeFile(_ path: String) { unsafe unlink(path) }

    private static func isStillThere(_ path: String, _ descriptor: Int32) -> Bool {
        var held = stat()
        var found = stat()
        return unsafe fstat(descriptor, &held) == 0 && lstat(path, &found) == 0
            && held.st_dev == found.st_dev && held.st_ino == found.st_ino
    }
}

/// An error number of a call on a lock file.
struct LockError: Error, Sendable {
    let errno: Int32
    init(_ errno: Int32) { self.errno = errno }

    /// Nothing can be made there: no space, or a filesystem that cannot be written.
    var isNoRoom: Bool { [ENOSPC, EDQUOT, EROFS].contains(errno) }
}

/// Makes a directory for this user alone, unless it is there.
func makePrivateDirectory(_ path: String) throws(LockError) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw LockError(errno) }
}
