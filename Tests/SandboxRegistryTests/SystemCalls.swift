import Glibc

/// The tests' only calls into C that need pointers (mount(2)).
enum Filesystem {
    static func mountTmpfs(at path: String, kibibytes: Int) -> Bool {
        unsafe "size=\(kibibytes)k".withCString { unsafe mount("tmpfs", path, "tmpfs", 0, $0) } == 0
    }

    static func remountReadOnly(_ path: String) -> Bool {
        unsafe mount("tmpfs", path, nil, UInt(MS_REMOUNT) | UInt(MS_RDONLY), nil) == 0
    }

    static func detach(_ path: String) {
        _ = unsafe umount2(path, Int32(MNT_DETACH))
    }
}
