internal import CLinux
internal import CLinuxSystem
internal import Glibc

/// What stat(2) reports about a file.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Sendable { case directory, regular, symbolicLink, pipe, other }

    package let device: UInt64
    package let inode: UInt64
    /// The kind and the permissions.
    package let mode: UInt32
    package let user: UInt32
    package let group: UInt32
    /// In bytes.
    package let size: Int64
    /// Nanoseconds since 1970.
    package let modified: Int64
    package let changed: Int64

    /// Tells a file from every other file that exists at the same time.
    package struct Identity: Equatable, Sendable {
        package let device: UInt64
        package let inode: UInt64

        package init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    package var identity: Identity { Identity(device: device, inode: inode) }

    package var kind: Kind {
        switch mode & S_IFMT {
        case S_IFDIR: .directory
        case S_IFREG: .regular
        case S_IFLNK: .symbolicLink
        case S_IFIFO: .pipe
        default: .other
        }
    }

    /// - Parameter followsLink: Whether a symbolic link at the path itself is followed.
    package static func of(_ path: String, followsLink: Bool) throws(Errno) -> FileStatus {
        var found = stat()
        try checkCall(unsafe followsLink ? stat(path, &found) : lstat(path, &found))
        return FileStatus(found)
    }

    package static func ofOpen(_ descriptor: Int32) throws(Errno) -> FileStatus {
        var found = stat()
        try checkCall(unsafe fstat(descriptor, &found))
        return FileStatus(found)
    }

    init(_ found: stat) {
        device = UInt64(found.st_dev)
        inode = UInt64(found.st_ino)
        mode = found.st_mode
        user = found.st_uid
        group = found.st_gid
        size = Int64(found.st_size)
        modified = Self.nanoseconds(found.st_mtim)
        changed = Self.nanoseconds(found.st_ctim)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// What statx(2) reports about a file and the mount that it lies on.
package struct MountedFileStatus: Sendable {
    /// The major number in the upper 32 bits, the minor in the lower.
    package let device: UInt64
    package let inode: UInt64
    /// Nanoseconds since 1970; 0 if unknown.
    package let birth: UInt64
    package let mountID: UInt64
    /// Whether the mount's id is never reused (Linux 6.8).
    package let hasUniqueMountID: Bool
    /// Whether something is mounted at exactly this path; nil if the kernel does not tell (before Linux 5.8).
    package let isMountRoot: Bool?
    package let mode: UInt32
    package let user: UInt32
    package let group: UInt32
    /// In bytes.
    package let size: UInt64

    /// Does not follow a symbolic link at the path itself.
    ///
    /// - Parameter mountOnly: Whether a network or FUSE server is asked nothing, so that this returns even if the path
    ///   ends at a dead server's mount. Only the mount and `isMountRoot` are known then.
    package static func of(_ path: [UInt8], mountOnly: Bool) throws(Errno) -> MountedFileStatus {
        guard !path.contains(0) else { throw .noEntry }
        return try MountedFileStatus(AT_FDCWD, path + [0], mountOnly: mountOnly)
    }

    package static func of(_ file: borrowing Descriptor) throws(Errno) -> MountedFileStatus {
        try MountedFileStatus(file.number, [0], LINUX_AT_EMPTY_PATH, mountOnly: false)
    }

    private init(_ directory: Int32, _ name: [UInt8], _ flags: Int32 = 0, mountOnly: Bool) throws(Errno) {
        var found = linux_status()
        try check(unsafe linux_statx(directory, name, flags, mountOnly ? 1 : 0, &found))
        device = found.device
        inode = found.inode
        birth = found.birth
        mountID = found.mountID
        hasUniqueMountID = found.mountIDUnique != 0
        isMountRoot = found.mountRootKnown != 0 ? found.isMountRoot != 0 : nil
        mode = found.mode
        user = found.uid
        group = found.gid
        size = found.size
    }
}

/// The magic number of the filesystem that a file lies on (statfs(2)).
package func filesystemType(of file: borrowing Descriptor) throws(Errno) -> Int {
    try check(linux_filesystem_type(file.number))
}

/// An entry of a directory, with the type that the filesystem reports.
package struct DirectoryEntry {
    package let name: [UInt8]
    package let isDirectory: Bool
}

extension Descriptor {
    /// The entries of this directory from where it was last read to, without `.` and `..` (getdents64(2)).
    package borrowing func entries() throws(Errno) -> [DirectoryEntry] {
        var found: [DirectoryEntry] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let file = number
            let count = try check(
                unsafe buffer.withUnsafeMutableBytes { unsafe linux_getdents64(file, $0.baseAddress, $0.count) })
            if count == 0 { return found }
            // struct linux_dirent64: the record's length at 16, the type at 18, the name from 19.
            var entry = 0
            while entry + 19 <= count {
                let length = Int(buffer[entry + 16]) | Int(buffer[entry + 17]) << 8
                guard length > 19, entry + length <= count else { break }
                let name = Array(buffer[entry + 19..<entry + length].prefix { $0 != 0 })
                if name != [0x2e], name != [0x2e, 0x2e] {
                    found.append(DirectoryEntry(name: name, isDirectory: buffer[entry + 18] == DT_DIR))
                }
                entry += length
            }
        }
    }
}

/// The error number of access(2) for reading and writing, and, in a directory, for reaching its files; nil if all that
/// is granted.
package func refusal(toWrite path: String, search: Bool) -> Errno? {
    unsafe access(path, R_OK | W_OK | (search ? X_OK : 0)) == 0 ? nil : .current
}

/// The error number with which executing a file would fail for this process; nil if this process may execute it.
package func refusal(toExecute path: String) -> Errno? {
    unsafe faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? nil : .current
}

/// Creates an empty file with mode 0600, or leaves an existing one unchanged.
package func createPrivateFile(_ path: String) throws(Errno) {
    do throws(Errno) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        _ = Descriptor(owning: try checkCall(unsafe open(path, flags, 0o600)))
    } catch {
        guard error == .exists else { throw error }
    }
}

/// unlink(2); a missing file is not an error.
package func removeFile(_ path: String) throws(Errno) {
    if unsafe unlink(path) != 0, errno != ENOENT { throw .current }
}

/// Writes a text into a control file that exists, such as a cgroup's, with one write(2).
package func setControl(_ path: String, to text: String) throws(Errno) {
    mayBlock()
    let file = Descriptor(owning: try checkCall(unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)))
    let bytes = Array(text.utf8)
    try checkCall(unsafe Glibc.write(file.number, bytes, bytes.count) == bytes.count ? 0 : -1)
}

/// An extended attribute of a file, of at most 256 bytes. A symbolic link at the path itself is not followed.
package func attribute(_ name: String, of path: String) throws(Errno) -> [UInt8] {
    var value = [UInt8](repeating: 0, count: 256)
    let count = try check(
        unsafe value.withUnsafeMutableBytes { unsafe system_attribute(path, name, $0.baseAddress, $0.count) })
    return Array(value[..<count])
}

/// Whether set-user-id and file capabilities are ignored on the filesystem of a path.
package func isMountedNoSetUserID(_ path: String) throws(Errno) -> Bool { try check(unsafe system_nosuid(path)) == 1 }

/// Has a child process ask a filesystem, and waits at most a tenth of a second longer than the given time. Returns the
/// error with which it answered, `.timedOut` if no answer came, and the child's pid if that hangs for good.
///
/// - Parameter name: The child's name in process lists, at most 15 bytes.
package func askFilesystem(
    _ path: String, as name: String, within limit: Duration
) -> (error: Errno?, child: Int32?) {
    var child: Int32 = 0
    let result = unsafe system_ask_filesystem(path, name, limit.forPoll, &child)
    return (result == 0 ? nil : Errno(-result), child == 0 ? nil : child)
}

/// Reports when any process closes a file that was open for writing (inotify(7)).
package struct CloseWatch: ~Copyable, Sendable {
    private let queue: Descriptor

    /// nil if this user has reached the limit of inotify instances.
    package init?() {
        let queue = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard queue >= 0 else { return nil }
        self.queue = Descriptor(owning: queue)
    }

    /// A descriptor that becomes readable once the file at that path is closed; nil if the file cannot be watched.
    package func watch(_ path: String) -> Int32? {
        unsafe inotify_add_watch(queue.number, path, UInt32(IN_CLOSE_WRITE)) < 0 ? nil : queue.number
    }

    /// Discards all pending events.
    package func drain() { while let events = try? queue.read(atMost: 4096), !events.isEmpty {} }
}
