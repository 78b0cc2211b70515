internal import EventLoop
internal import Glibc

/// This program's only calls into C.
enum SystemCalls {
    static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Removes an environment variable that a child must not inherit.
    static func unset(_ name: String) { unsafe unsetenv(name) }

    static var processID: Int32 { getpid() }

    /// Queues lines for standard error without waiting for a reader. Once 4 MiB wait, further lines are lost and
    /// counted.
    static func complain(_ text: String) { log.add(text) }

    private static let log = OutputQueue(descriptor: 2, bound: 4 << 20) { count in
        "<4>\(count) lines of the log were lost because nobody read them\n"
    }

    /// The number of a group (getgrnam_r(3)); nil if there is no such group.
    static func group(named name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var entry = unsafe Glibc.group()
        var found: UnsafeMutablePointer<Glibc.group>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        guard unsafe getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else {
            return nil
        }
        return unsafe entry.gr_gid
    }

    /// The number of a user (getpwnam_r(3)); nil if there is no such user.
    static func user(named name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        guard unsafe getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else {
            return nil
        }
        return unsafe entry.pw_uid
    }

    /// Raises the limit on descriptors to the hard limit, because each connection takes one.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(7), &limit)
    }

    /// Sends one datagram to a Unix socket; a name that begins with @ is an abstract one (unix(7)).
    static func send(_ text: String, to name: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(text.utf8)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = unsafe sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), pointer, length)
            }
        }
    }

    /// Ends this process like exit(3), once the queued log is written, or after 2 seconds if nobody reads it.
    static func leave(_ status: Int32) -> Never {
        log.flush(within: .seconds(2))
        exit(status)
    }
}
