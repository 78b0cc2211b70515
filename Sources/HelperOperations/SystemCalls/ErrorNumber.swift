internal import CLinux

/// The error numbers of errno(3) that the helper distinguishes.
enum ErrorNumber {
    static var notPermitted: Int32 { EPERM }
    static var noEntry: Int32 { ENOENT }
    static var busy: Int32 { EBUSY }
    static var exists: Int32 { EEXIST }
    static var crossDevice: Int32 { EXDEV }
    static var notDirectory: Int32 { ENOTDIR }
    static var isDirectory: Int32 { EISDIR }
    static var invalid: Int32 { EINVAL }
    static var noSystemCall: Int32 { ENOSYS }
    static var notEmpty: Int32 { ENOTEMPTY }
    static var loop: Int32 { ELOOP }
    static var tooLarge: Int32 { EFBIG }
    static var noProcess: Int32 { ESRCH }
    static var noDevice: Int32 { ENODEV }
    static var notSupported: Int32 { EOPNOTSUPP }
    static var tooMany: Int32 { E2BIG }
}
