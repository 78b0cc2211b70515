internal import Glibc

// The only file of this module that touches C. What fails while a pod is made throws; what cleans up is quiet.

private func failure(_ call: String, _ path: String, _ code: Int32 = errno) -> SampleError {
    .failed(call: call, path: path, reason: unsafe String(cString: strerror(code)))
}

func isRoot() -> Bool { geteuid() == 0 }
func processID() -> Int32 { getpid() }

/// An existing path without symbolic links: the form in which the kernel lists mount points.
func resolved(_ path: String) throws(SampleError) -> String {
    guard let found = unsafe realpath(path, nil) else { throw failure("realpath", path) }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
}

func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(SampleError) {
    guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else { throw failure("mkdir", path) }
}

func makeLink(_ path: String, to target: String) throws(SampleError) {
    guard unsafe symlink(target, path) == 0 || errno == EEXIST else { throw failure("symlink", path) }
}

/// Creates or replaces a file, mode 0644.
func write(_ text: String, to path: String) throws(SampleError) {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("open", path) }
    defer { close(file) }
    let bytes = Array(text.utf8)
    guard unsafe write(file, bytes, bytes.count) == bytes.count else { throw failure("write", path) }
}

/// A whole file as text; nil where it cannot be read.
func contents(of path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = unsafe read(file, &piece, piece.count)
        guard count >= 0 else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(contentsOf: piece[..<count])
    }
}

/// The names in a directory but `.` and `..`; none where it cannot be read.
func names(in directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
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

/// Whether anything has this name, a symbolic link that leads nowhere too.
func exists(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0
}

func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & 0o170000 == 0o040000
}

func isSame(_ one: String, _ other: String) -> Bool {
    var first = stat()
    var second = stat()
    return unsafe stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_ino == second.st_ino
        && first.st_dev == second.st_dev
}

func mountFilesystem(
    _ type: String, from source: String, at point: String, options: String, nothingExecutable: Bool = false
) throws(SampleError) {
    let flags = nothingExecutable ? UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC) : 0
    guard unsafe mount(source, point, type, flags, options) == 0 else { throw failure("mount", point) }
}

func bindMount(_ source: String, at point: String) throws(SampleError) {
    guard unsafe mount(source, point, nil, UInt(MS_BIND), nil) == 0 else { throw failure("mount", point) }
}

func detachMount(_ point: String) { _ = unsafe umount2(point, Int32(MNT_DETACH | UMOUNT_NOFOLLOW)) }

func removeFile(_ path: String) { _ = unsafe unlink(path) }

/// Removes a cgroup or an empty directory.
func removeDirectory(_ path: String) -> Bool { unsafe rmdir(path) == 0 }

func killProcess(_ pid: Int32) { if pid > 1 { _ = kill(pid, SIGKILL) } }

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

/// A pipe, both ends closed on exec.
func makePipe() throws(SampleError) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw failure("pipe", "") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

func closeDescriptor(_ number: Int32) { close(number) }

/// Waits until every writing end of a pipe is closed: false where it took longer. Nothing is expected to be written.
func waitForEnd(of reading: Int32, seconds: Int32) -> Bool {
    var set = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    while true {
        let ready = unsafe poll(&set, 1, seconds * 1000)
        if ready < 0, errno == EINTR { continue }
        return ready > 0 && set.revents & Int16(POLLHUP) != 0
    }
}

/// Starts a program with fd 0 and 2 on /dev/null, `output` (or /dev/null) on fd 1, a short environment, no signal blocked and
/// all at their default: a thread of Swift's pool blocks TERM, and a container would inherit that.
///
/// - Parameter sharing: Whether it has this process's own descriptors 0 to 2 instead.
func spawn(
    _ command: [String], output: Int32? = nil, sharing: Bool = false, environment variables: [String] = []
) throws(SampleError) -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
    }
    for number in 0...2 as ClosedRange<Int32> where !sharing {
        if number == 1, let output {
            unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
    }
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    let allVariables = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + variables
    var environment = unsafe allVariables.map { unsafe strdup($0) } + [nil]
    defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
    var pid: Int32 = 0
    let code = unsafe posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, &environment)
    guard code == 0 else { throw failure("spawn", command[0], code) }
    return pid
}

/// Waits for a child: true where it exited with 0.
func succeeded(_ pid: Int32) -> Bool { exitStatus(pid) == 0 }

/// Waits for a child: its exit status, or 128 and the number of the signal that ended it, as a shell says it.
func exitStatus(_ pid: Int32) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0 { guard errno == EINTR else { return 255 } }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
}

func changeOwner(_ path: String, user: UInt32, group: UInt32) throws(SampleError) {
    guard unsafe chown(path, user, group) == 0 else { throw failure("chown", path) }
}

func changeMode(_ path: String, _ mode: UInt32) throws(SampleError) {
    guard unsafe chmod(path, mode) == 0 else { throw failure("chmod", path) }
}

/// A variable of this process's environment, as `NAME=VALUE`.
func inheritedVariable(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe "\(name)=\(String(cString: $0))" }
}
