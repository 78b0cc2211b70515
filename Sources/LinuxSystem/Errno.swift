internal import Glibc

/// The error number of a failed system call (errno(3)).
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    /// The number that this thread's last failed call left.
    static var current: Errno { Errno(errno) }

    /// The text of strerror(3).
    package var description: String {
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }

    package static let access = Errno(EACCES)
    package static let addressInUse = Errno(EADDRINUSE)
    package static let again = Errno(EAGAIN)
    package static let exists = Errno(EEXIST)
    package static let fileTooLarge = Errno(EFBIG)
    package static let invalid = Errno(EINVAL)
    package static let noData = Errno(ENODATA)
    package static let noEntry = Errno(ENOENT)
    package static let notDirectory = Errno(ENOTDIR)
    package static let notExecutable = Errno(ENOEXEC)
    package static let notPermitted = Errno(EPERM)
    package static let notSupported = Errno(EOPNOTSUPP)
    package static let readOnlyFilesystem = Errno(EROFS)
    package static let stale = Errno(ESTALE)
    package static let timedOut = Errno(ETIMEDOUT)
    package static let wrongSocketType = Errno(EPROTOTYPE)

    /// Whether it means that nothing is there: a name that is gone, a process that ended, or a cgroup that was removed
    /// while it was open.
    package var isAbsence: Bool { [ENOENT, ENOTDIR, ESRCH, ENODEV].contains(number) }

    /// Whether the other end of a socket is closed.
    package var isPeerGone: Bool { [EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN].contains(number) }
}

/// A failed system call, by its name.
package struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
    package let call: String
    package let errno: Errno

    package init(_ call: String, _ errno: Errno) {
        self.call = call
        self.errno = errno
    }

    package var description: String { "\(call): \(errno)" }
}

/// What a function of CLinux or CLinuxSystem returned, unless that is a negative error number.
@discardableResult
func check<Value: SignedInteger>(_ result: Value) throws(Errno) -> Value {
    guard result >= 0 else { throw Errno(Int32(truncatingIfNeeded: -result)) }
    return result
}

/// What a function of the C library returned, unless that is -1.
@discardableResult
func checkCall<Value: SignedInteger>(_ result: Value) throws(Errno) -> Value {
    guard result >= 0 else { throw .current }
    return result
}

/// Repeats a function of the C library for as long as a signal interrupts it.
func uninterrupted<Value: SignedInteger>(_ call: () -> Value) throws(Errno) -> Value {
    while true {
        let result = call()
        if result >= 0 { return result }
        guard errno == EINTR else { throw .current }
    }
}
