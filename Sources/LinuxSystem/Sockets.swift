internal import CLinux
internal import CLinuxSystem
internal import Glibc

/// A connected socket of packets (SOCK_SEQPACKET, unix(7)). Nothing here waits.
package struct PacketSocket: ~Copyable, Sendable {
    package let descriptor: Descriptor
    /// The pid of the process that listens where this end was connected to, as the kernel recorded it; nil if both ends
    /// were made here.
    package let listener: Int32?

    /// Makes a connection, and lends its other end to `body`; that end is closed afterwards.
    package init(lendingOtherEnd body: (_ otherEnd: Int32) throws(Errno) -> Void) throws(Errno) {
        let ends = try socketPair(SOCK_SEQPACKET)
        let other = Descriptor(owning: ends.theirs)
        let own = Descriptor(owning: ends.ours)
        try body(other.number)
        descriptor = own
        listener = nil
    }

    /// Connects to a listening socket. A full queue is an error.
    package init(connectingTo path: String) throws(Errno) {
        guard !path.utf8.contains(0) else { throw .noEntry }
        var socket: Int32 = -1
        var listener: Int32 = 0
        try check(unsafe system_connect(path, &socket, &listener))
        descriptor = Descriptor(owning: socket)
        self.listener = listener
    }

    /// Tells the other end that nothing more will come.
    package borrowing func closeHalf() { shutdown(descriptor.number, Int32(SHUT_WR)) }

    /// Whether the other end is gone.
    package var isClosed: Bool {
        var entry = pollfd(fd: descriptor.number, events: 0, revents: 0)
        return unsafe poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP) != 0
    }

    package borrowing func send(_ packet: [UInt8]) throws(Errno) {
        let socket = descriptor.number
        _ = try uninterrupted {
            unsafe Glibc.send(socket, packet, packet.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// Receives one packet into `buffer`; nil if there is none.
    package borrowing func receive(into buffer: inout [UInt8]) -> Packet? {
        let socket = descriptor.number
        var file: Int32 = -1
        var strange: Int32 = 0
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe system_receive(socket, $0.baseAddress, $0.count, &file, &strange)
        }
        if count == -Int(EAGAIN) { return nil }
        let attachment = file >= 0 ? Attachment(file: Descriptor(owning: file)) : nil
        return Packet(bytes: max(0, count), attachment: attachment, strange: strange != 0)
    }
}

/// A packet that was received.
package struct Packet {
    /// Its length in bytes; 0 if the other end is gone.
    package let bytes: Int
    package let attachment: Attachment?
    /// Whether the packet was cut, or carried more than one descriptor.
    package let strange: Bool
}

/// A descriptor that came with a packet, which should be a sealed memfd.
package final class Attachment: Sendable {
    private let file: Descriptor

    fileprivate init(file: consuming Descriptor) { self.file = file }

    /// The whole content if the memfd is sealed against writing and shrinking and has exactly `count` bytes; nil
    /// otherwise.
    package func content(count: Int) -> [UInt8]? {
        guard system_sealed_size(file.number) == Int64(count) else { return nil }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = unsafe linux_pread(
                    file.number, buffer.baseAddress! + filled, count - filled, Int64(filled))
                if read == -Int(EINTR) { continue }
                guard read > 0 else { return }
                filled += read
            }
        }
        return bytes.count == count ? bytes : nil
    }
}

/// Both ends of a new connection, for the caller to close; each is closed in every program that this process starts.
func socketPair(_ type: __socket_type) throws(Errno) -> (ours: Int32, theirs: Int32) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(type.rawValue | SOCK_CLOEXEC.rawValue)
    try checkCall(unsafe socketpair(AF_UNIX, type, 0, &ends))
    return (ends[0], ends[1])
}

/// Makes a listening stream socket at `path`. Nobody else can connect to it before its mode is set.
package func listeningSocket(
    at path: String, mode: UInt32, group: UInt32?, backlog: Int32
) throws(SystemCallError) -> Descriptor {
    let socket = try newSocket(SOCK_STREAM)
    // bind(2) makes the file with the mode of the descriptor, so the file never has wider permissions.
    try require(fchmod(socket.number, mode), "fchmod")
    let number = socket.number
    try require(unsafe withAddress(path) { unsafe bind(number, $0, $1) }, "bind")
    if let group { try require(unsafe lchown(path, uid_t.max, group), "chown") }
    try require(unsafe chmod(path, mode), "chmod")
    try require(listen(number, backlog), "listen")
    return socket
}

/// Changes the length of a listening socket's queue.
package func listenAgain(on socket: Int32, backlog: Int32) throws(SystemCallError) {
    try require(listen(socket, backlog), "listen")
}

/// Whether a descriptor is a listening Unix stream socket, as a service manager has to hand over.
package func isListeningSocket(_ descriptor: Int32) -> Bool {
    func option(_ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
    return option(SO_ACCEPTCONN) == 1 && option(SO_DOMAIN) == AF_UNIX
        && option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
}

/// Sends one datagram to a Unix socket; a name that begins with @ is an abstract one (unix(7)).
package func sendDatagram(_ text: String, to name: String) throws(SystemCallError) {
    let socket = try newSocket(SOCK_DGRAM)
    let message = Array(text.utf8)
    let number = socket.number
    let sent = unsafe withAddress(name) {
        unsafe sendto(number, message, message.count, Int32(MSG_NOSIGNAL), $0, $1)
    }
    try require(sent, "sendto")
}

/// The error number of connecting to a datagram socket; nil if that succeeds.
package func refusal(toConnect path: String) -> Errno? {
    do throws(SystemCallError) {
        let socket = try newSocket(SOCK_DGRAM)
        let number = socket.number
        try require(unsafe withAddress(path) { unsafe connect(number, $0, $1) }, "connect")
        return nil
    } catch {
        return error.errno
    }
}

private func newSocket(_ type: __socket_type) throws(SystemCallError) -> Descriptor {
    let number = socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try require(number, "socket")
    return Descriptor(owning: number)
}

/// Calls `body` with the address of a Unix socket, and returns what `body` returns; -1 and an error number if the name
/// is empty or too long.
private func withAddress<Value: SignedInteger>(
    _ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
) -> Value {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        errno = ENAMETOOLONG
        return -1
    }
    // An abstract name has no NUL at its end; its length says where it ends.
    var end = 1
    if bytes.first == UInt8(ascii: "@") { (bytes[0], end) = (0, 0) }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + end)
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
    }
}

private func require<Value: SignedInteger>(_ result: Value, _ call: String) throws(SystemCallError) {
    guard result >= 0 else { throw SystemCallError(call, .current) }
}
