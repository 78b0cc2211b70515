internal import Glibc

// The only file of this module that touches C. What fails while a pod is made throws; what cleans up is quiet.

private func failure(_ call: String, _ path: String, _ code: Int32 = errno) -> SampleError {
    .failed(call: call, path: path, reason: unsafe String(cString: strerror(code)))
}

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

func changeOwner(_ path: String, user: UInt32, group: UInt32) throws(SampleError) {
    guard unsafe chown(path, user, group) == 0 else { throw failure("chown", path) }
}

func changeMode(_ path: String, _ mode: UInt32) throws(SampleError) {
    guard unsafe chmod(path, mode) == 0 else { throw failure("chmod", path) }
}
