internal import Glibc

/// The failure of a call into C. The module's only such calls are in `SystemCalls`.
struct CallFailure: Error, Sendable {
    let call: String
    let number: Int32

    init(_ call: String, _ number: Int32 = errno) {
        self.call = call
        self.number = number
    }

    var text: String { unsafe "\(call): \(String(cString: strerror(number)))" }
}

enum SystemCalls {
    static let addressInUse = EADDRINUSE

    /// Locks a file with flock(2) until the descriptor is closed; nil if another process holds the lock.
    static func lock(_ path: String) throws(CallFailure) -> Int32? {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw CallFailure("open") }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let error = errno
            if error == EINTR { continue }
            close(descriptor)
            if error == EWOULDBLOCK { return nil }
            throw CallFailure("flock", error)
        }
        return descriptor
    }

    /// Makes a listening stream socket at `path`. Nobody else can connect to it before its mode is set.
    static func listen(
        at path: String, mode: UInt32, group: UInt32?, backlog: Int32
    ) throws(CallFailure) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | SOCKET_CLOEXEC, 0)
        guard descriptor >= 0 else { throw CallFailure("socket") }
        do throws(CallFailure) {
            // bind(2) makes the file with the mode of the descriptor, so the file never has wider permissions.
            guard fchmod(descriptor, mode) == 0 else { throw CallFailure("fchmod") }
            var address = try address(path)
            let bound = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            guard bound == 0 else { throw CallFailure("bind") }
            if let group, unsafe lchown(path, uid_t.max, group) != 0 { throw CallFailure("chown") }
            guard unsafe chmod(path, mode) == 0 else { throw CallFailure("chmod") }
            guard Glibc.listen(descriptor, backlog) == 0 else { throw CallFailure("listen") }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func address(_ path: String) throws(CallFailure) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else { throw CallFailure("bind", ENAMETOOLONG) }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return address
    }

    /// unlink(2); a missing file is not an error.
    static func remove(_ path: String) throws(CallFailure) {
        if unsafe unlink(path) != 0, errno != ENOENT { throw CallFailure("unlink") }
    }

    /// Whether a descriptor is a listening Unix stream socket, as a service manager has to hand over.
    static func isListeningSocket(_ descriptor: Int32) -> Bool {
        option(SO_ACCEPTCONN, descriptor) == 1 && option(SO_DOMAIN, descriptor) == AF_UNIX
            && option(SO_TYPE, descriptor) == Int32(SOCK_STREAM.rawValue)
    }

    private static func option(_ name: Int32, _ descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    static func closeOnExec(_ descriptor: Int32) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

    static func close(_ descriptor: Int32) { Glibc.close(descriptor) }

    /// This process's effective user.
    static var user: UInt32 { geteuid() }

    /// `SOCK_CLOEXEC`, a macro that Swift cannot import from the header.
    private static let SOCKET_CLOEXEC = Int32(0o2000000)
}
