internal import CLinux
internal import EventLoop
internal import Glibc

// The only file of this module that calls C. Each function is one system call, or one call repeated until end of file.

struct Descriptor: ~Copyable, Sendable {
    let number: Int32

    /// Takes what a `linux_` function returned; throws the errno if the result is one.
    init(_ result: Int32, call: String, path: String) throws(ObservationError) {
        guard result >= 0 else { throw .failed(call: call, path: path, code: -result) }
        number = result
    }

    deinit { close(number) }
}

func errorText(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

/// Whether an error means that nothing is there: a name that is gone, a process that ended, a cgroup removed while it
/// was open.
private func isAbsence(_ code: Int32) -> Bool { [ENOENT, ENOTDIR, ESRCH, ENODEV].contains(code) }

/// nil if nothing is there. A path that contains NUL names nothing.
private func open(_ path: [UInt8], _ flags: Int32) throws(ObservationError) -> Descriptor? {
    guard !path.contains(0) else { return nil }
    mayBlock()
    let result = unsafe linux_open(path + [0], flags | O_RDONLY | O_CLOEXEC)
    if result < 0, isAbsence(-result) { return nil }
    return try Descriptor(result, call: "open", path: path.text)
}

/// The whole content of a kernel file; nil if it, or the process or cgroup that it describes, does not exist.
func contents(of path: [UInt8]) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path, 0) else { return nil }
    // mountinfo is consistent within one read(2) only, so a piece is large enough for an ordinary node's table.
    return try contents(of: file, path, piece: 64 << 10)
}

private func contents(
    of file: borrowing Descriptor, _ path: [UInt8], piece size: Int
) throws(ObservationError) -> [UInt8]? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: size)
    while true {
        let count = unsafe piece.withUnsafeMutableBytes { unsafe linux_read(file.number, $0.baseAddress, $0.count) }
        if count == 0 { return bytes }
        if count > 0 {
            bytes.append(contentsOf: piece[..<count])
        } else if isAbsence(Int32(-count)) {
            return nil
        } else if count != -Int(EINTR) {
            throw .failed(call: "read", path: path.text, code: Int32(-count))
        }
    }
}

/// The first bytes of a kernel file; nil if it does not exist, or is empty.
func beginning(of path: [UInt8]) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path, 0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe linux_read(file.number, $0.baseAddress, $0.count) }
    return count > 0 ? Array(bytes[..<count]) : nil
}

/// The names of the subdirectories of a directory, on a filesystem that reports types; empty if it is gone.
func subdirectories(of path: [UInt8]) throws(ObservationError) -> [[UInt8]] {
    try entries(of: path).filter { $0.type == DT_DIR }.map(\.name)
}

/// The entries of a directory, without `.` and `..`, with the types that the filesystem reports (getdents64(2)); empty
/// if it is gone.
func entries(of path: [UInt8]) throws(ObservationError) -> [(name: [UInt8], type: Int)] {
    guard let directory = try open(path, O_DIRECTORY) else { return [] }
    return try entries(of: directory, path)
}

/// A directory of a kernel filesystem that is read more than once; its path is resolved only once.
struct KernelDirectory: ~Copyable {
    private let file: Descriptor
    private let path: [UInt8]

    /// nil if there is none.
    init?(_ path: [UInt8]) throws(ObservationError) {
        guard let file = try open(path, O_DIRECTORY) else { return nil }
        self.file = file
        self.path = path
    }

    /// The whole content of a small file in it; nil if the file, or what it describes, does not exist.
    func contents(of name: StaticString) throws(ObservationError) -> [UInt8]? {
        let path = self.path + [slash] + "\(name)".utf8
        mayBlock()
        let result = unsafe observe_open_at(file.number, name.utf8Start)
        if result < 0, isAbsence(-result) { return nil }
        return try NodeObservation.contents(
            of: Descriptor(result, call: "openat", path: path.text), path, piece: 4 << 10)
    }

    func subdirectories() throws(ObservationError) -> [[UInt8]] {
        try entries(of: file, path).filter { $0.type == DT_DIR }.map(\.name)
    }
}

private func entries(
    of directory: borrowing Descriptor, _ path: [UInt8]
) throws(ObservationError) -> [(name: [UInt8], type: Int)] {
    var found: [(name: [UInt8], type: Int)] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe linux_getdents64(directory.number, $0.baseAddress, $0.count)
        }
        if count == 0 || isAbsence(Int32(-count)) { return found }
        guard count > 0 else { throw .failed(call: "getdents64", path: path.text, code: Int32(-count)) }
        // struct linux_dirent64: the record's length at 16, the type at 18, the name from 19.
        var entry = 0
        while entry + 19 <= count {
            let length = Int(buffer[entry + 16]) | Int(buffer[entry + 17]) << 8
            guard length > 19, entry + length <= count else { break }
            let name = Array(buffer[entry + 19..<entry + length].prefix { $0 != 0 })
            if name != [0x2e], name != [0x2e, 0x2e] { found.append((name, Int(buffer[entry + 18]))) }
            entry += length
        }
    }
}

/// The whole content of a regular file of at most `limit` bytes; nil if there is none. A symbolic link in the last
/// component is not followed, and opening anything else than a regular file does not wait.
func regularFile(_ path: [UInt8], limit: Int) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path, O_NOFOLLOW | O_NONBLOCK) else { return nil }
    var status = linux_status()
    let result = unsafe linux_statx(file.number, [0], LINUX_AT_EMPTY_PATH, 0, &status)
    guard result == 0 else { throw .failed(call: "statx", path: path.text, code: -result) }
    guard status.mode & 0o170000 == 0o100000 else { return nil }
    guard status.size <= limit else { throw .failed(call: "read", path: path.text, code: EFBIG) }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var length = 0
    while length < bytes.count {
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe linux_read(file.number, $0.baseAddress! + length, min($0.count - length, 64 << 10))
        }
        if count == -Int(EINTR) { continue }
        guard count >= 0 else { throw .failed(call: "read", path: path.text, code: Int32(-count)) }
        if count == 0 { return Array(bytes[..<length]) }
        length += count
    }
    throw .failed(call: "read", path: path.text, code: EFBIG)
}

/// statx(2) without following a symbolic link in the last component; nil if nothing is there. `mountOnly` asks a
/// network or FUSE server nothing, so it returns even if the path ends at a dead server's mount.
func status(of path: [UInt8], mountOnly: Bool) throws(ObservationError) -> linux_status? {
    guard !path.contains(0) else { return nil }
    mayBlock()
    var status = linux_status()
    let result = unsafe linux_statx(AT_FDCWD, path + [0], 0, mountOnly ? 1 : 0, &status)
    if result < 0, isAbsence(-result) { return nil }
    guard result == 0 else { throw .failed(call: "statx", path: path.text, code: -result) }
    return status
}

/// pidfd_open(2); nil if there is no such process.
func openProcess(_ pid: Int32) throws(ObservationError) -> Descriptor? {
    let result = linux_pidfd_open(pid)
    if result == -ESRCH { return nil }
    return try Descriptor(result, call: "pidfd_open", path: "\(pid)")
}

/// A pidfd's inode on pidfs (Linux 6.9), which gives each process its own; nil if all pidfds share one.
func pidfdInode(_ process: borrowing Descriptor) throws(ObservationError) -> UInt64? {
    guard linux_filesystem_type(process.number) == pidfsMagic else { return nil }
    var status = linux_status()
    let result = unsafe linux_statx(process.number, [0], LINUX_AT_EMPTY_PATH, 0, &status)
    guard result == 0 else { throw .failed(call: "statx", path: "pidfd", code: -result) }
    return status.inode
}

/// PID_FS_MAGIC of linux/magic.h.
private let pidfsMagic = 0x5049_4446

func isReadable(_ descriptor: borrowing Descriptor) -> Bool {
    var set = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&set, 1, 0) > 0
}

/// The target of a symbolic link (readlink(2)); nil if there is none.
func linkTarget(_ path: String) throws(ObservationError) -> [UInt8]? {
    mayBlock()
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) }
    guard count >= 0 else {
        if isAbsence(errno) || errno == EINVAL { return nil }
        throw .failed(call: "readlink", path: path, code: errno)
    }
    return Array(buffer[..<count])
}

/// Has a child process ask a filesystem. Returns 0 or an error number, ETIMEDOUT if no answer came in time, and the
/// child's pid if it hangs.
func askFilesystem(_ path: String, milliseconds: Int32) -> (code: Int32, child: Int32?) {
    mayBlock()
    var child: Int32 = 0
    let result = unsafe observe_filesystem(path, milliseconds, &child)
    return (-result, child == 0 ? nil : child)
}

/// Whether a child process has ended; if so, it is reaped.
func hasEnded(child: Int32) -> Bool { waitpid(child, nil, WNOHANG) != 0 }

/// An extended attribute of a file; nil if it has none, or if there is no file.
func attribute(_ name: String, of path: String) throws(ObservationError) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: 256)
    let count = unsafe value.withUnsafeMutableBytes { unsafe observe_attribute(path, name, $0.baseAddress, $0.count) }
    if count < 0 {
        let code = Int32(-count)
        if isAbsence(code) || code == ENODATA || code == EOPNOTSUPP { return nil }
        throw .failed(call: "getxattr", path: path, code: code)
    }
    return Array(value[..<count])
}

/// Whether set-user-id and file capabilities are ignored on the filesystem of a path; nil if there is none.
func isNoSetUserID(_ path: String) -> Bool? {
    let result = unsafe observe_nosuid(path)
    return result < 0 ? nil : result == 1
}

/// The error number with which executing a file would fail for this process; nil if this process may execute it.
func refusalToExecute(_ path: String) -> Int32? {
    let result = unsafe observe_execute(path)
    return result == 0 ? nil : -result
}

/// The error number of connecting to a datagram socket; nil if that succeeds.
func refusalToConnect(_ path: String) -> Int32? {
    let result = unsafe observe_log(path)
    return result == 0 ? nil : -result
}

/// The soft and hard limit of a resource (getrlimit(2)).
func resourceLimit(_ resource: Int32) throws(ObservationError) -> (soft: UInt64, hard: UInt64) {
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    let result = unsafe observe_limit(resource, &soft, &hard)
    guard result == 0 else { throw .failed(call: "getrlimit", path: "\(resource)", code: -result) }
    return (soft, hard)
}

/// Whether the kernel has openat2(2).
func hasOpenat2() -> Bool {
    let result = unsafe linux_openat2(AT_FDCWD, Array("/\0".utf8), UInt64(O_RDONLY | O_DIRECTORY), 0)
    if result >= 0 { close(result) }
    return result != -ENOSYS
}

/// The names in a directory such as /proc/PID/fd; empty if it is gone, nil if this user may not list it.
func linkNames(of path: String) throws(ObservationError) -> [String]? {
    guard let stream = unsafe opendir(path) else {
        if isAbsence(errno) { return [] }
        if errno == EACCES || errno == EPERM { return nil }
        throw .failed(call: "opendir", path: path, code: errno)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// Whether the kernel has mount_setattr(2).
func hasMountAttributes() -> Bool { observe_mount_attributes() == 0 }

/// The effective user and all groups of this process.
func credentials() -> (user: UInt32, groups: [UInt32]) {
    var groups = [gid_t](repeating: 0, count: 65536)
    let count = unsafe getgroups(Int32(groups.count), &groups)
    return (geteuid(), [getegid()] + groups[..<max(0, Int(count))])
}

/// Which of these processes live in the network namespace that is pinned at a path; nil if that could not be found out.
func networkMembers(_ path: String, _ pids: [Int32]) -> [Int32]? {
    var inside = [UInt8](repeating: 0, count: pids.count)
    let result = unsafe observe_network_members(path, pids, &inside, UInt32(pids.count))
    return result == 0 ? zip(pids, inside).filter { $0.1 == 1 }.map(\.0) : nil
}
