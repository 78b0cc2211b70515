import Glibc

/// The tests' only calls into C that need pointers (mount(2)).
enum Filesystem {
    /// With 64 inodes.
    static func mountTmpfs(at path: String, kibibytes: Int) -> Bool {
        unsafe "mode=0755,size=\(kibibytes)k,nr_inodes=64".withCString { unsafe mount("tmpfs", path, "tmpfs", 0, $0) }
            == 0
    }

    static func remountReadOnly(_ path: String) -> Bool {
        unsafe mount("tmpfs", path, nil, UInt(MS_REMOUNT) | UInt(MS_RDONLY), nil) == 0
    }

    static func remountWritable(_ path: String) -> Bool {
        unsafe mount("tmpfs", path, nil, UInt(MS_REMOUNT), nil) == 0
    }

    static func bind(_ source: String, at path: String) -> Bool {
        unsafe mount(source, path, nil, UInt(MS_BIND), nil) == 0
    }

    static func bindReadOnly(_ source: String, at path: String) -> Bool {
        guard bind(source, at: path) else { return false }
        return unsafe mount(nil, path, nil, UInt(MS_REMOUNT) | UInt(MS_BIND) | UInt(MS_RDONLY), nil) == 0
    }

    static func detach(_ path: String) {
        _ = unsafe umount2(path, Int32(MNT_DETACH))
    }
}

/// As many descriptors as this process may have.
func raiseDescriptorLimit() {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
