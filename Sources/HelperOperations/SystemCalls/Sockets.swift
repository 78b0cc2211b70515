internal import CLinux
public import HelperProtocol

/// The result of waiting on a socket.
public enum Readiness: Sendable {
    case packet, peerGone, timeout
}

/// Two connected sockets.
struct SocketPair: ~Copyable {
    let ours: Descriptor
    let theirs: Descriptor

    /// Keeps our end and closes the other.
    consuming func releaseOurs() -> Descriptor { ours }
}

/// A packet's length and the descriptors that came with it.
struct ReceivedPacket: ~Copyable {
    let count: Int
    let first: Descriptor
    let second: Descriptor
}

/// The result of waiting on two sockets.
enum PairReadiness {
    case packet, otherPacket, peerGone, timeout
}

extension Descriptor {
    /// Two connected SOCK_SEQPACKET sockets (socketpair(2)).
    static func socketPair() throws(Outcome) -> SocketPair {
        var made: [2 of Int32] = [-1, -1]
        var span = made.mutableSpan
        let result = unsafe span.withUnsafeMutableBufferPointer { unsafe linux_socket_pair($0.baseAddress) }
        try check(result, .socket)
        return SocketPair(ours: Descriptor(owning: made[0]), theirs: Descriptor(owning: made[1]))
    }

    /// The uid at the other end, if this is an AF_UNIX SOCK_SEQPACKET socket (unix(7), SO_PEERCRED); nil otherwise.
    public func packetPeer() -> UInt32? {
        guard linux_socket_option(raw, SO_DOMAIN) == AF_UNIX,
            linux_socket_option(raw, SO_TYPE) == Int32(SOCK_SEQPACKET.rawValue)
        else { return nil }
        var uid: UInt32 = 0
        return unsafe linux_peer_uid(raw, &uid) == 0 ? uid : nil
    }

    private static var events: Int16 { Int16(POLLIN | POLLRDHUP) }
    /// A peer that has closed only its writing half counts as gone too: it sends nothing more.
    private static var gone: Int16 { Int16(POLLHUP | POLLRDHUP) }

    /// Waits for a packet. A zero-length packet reads like the end of the stream, but poll(2) distinguishes them.
    public func wait(milliseconds: Int32 = -1) throws(Outcome) -> Readiness {
        var entry = pollfd(fd: raw, events: Self.events, revents: 0)
        let count = try check(unsafe linux_poll(&entry, 1, milliseconds), .wait)
        if count == 0 { return .timeout }
        // A request is not begun if its sender has gone.
        return entry.revents & Int16(POLLIN) != 0 && entry.revents & Self.gone == 0 ? .packet : .peerGone
    }

    /// Waits for a packet on this socket, or for the peer of `other` to send a packet or close.
    func wait(_ deadline: Deadline, besides other: borrowing Descriptor) throws(Outcome) -> PairReadiness {
        var set: [2 of pollfd] = [
            pollfd(fd: raw, events: Self.events, revents: 0),
            pollfd(fd: other.raw, events: Self.events, revents: 0),
        ]
        var span = set.mutableSpan
        let count = unsafe span.withUnsafeMutableBufferPointer { set in
            unsafe linux_poll(set.baseAddress, 2, deadline.remaining)
        }
        if try check(count, .wait) == 0 { return .timeout }
        if (set[0].revents | set[1].revents) & Self.gone != 0 { return .peerGone }
        return set[0].revents != 0 ? .packet : .otherPacket
    }

    /// Turns off the socket options (such as SO_PASSCRED) with which whoever made this socket may have had extra data
    /// attached to packets.
    public func passNothing() { linux_pass_nothing(raw) }

    /// Receives one packet into `buffer`, which has room for `size` bytes. Throws `malformed` if the packet was cut, or
    /// if anything came with it. An attached descriptor is never taken, so none is opened here, whatever options other
    /// holders of this socket set meanwhile.
    public func receive(into buffer: inout [UInt8], size: Int) throws(Outcome) -> Int {
        var truncated: Int32 = 0
        let result = unsafe buffer.withUnsafeMutableBytes {
            unsafe linux_receive_packet(raw, $0.baseAddress, size, nil, &truncated)
        }
        try check(result, .socket)
        guard truncated == 0 else { throw .malformed(truncated == 1 ? .unexpectedDescriptor : .tooLong) }
        return result
    }

    /// The same, and takes the one or two descriptors that came with the packet.
    func receivePacket(into buffer: inout [UInt8], size: Int) throws(Outcome) -> ReceivedPacket {
        var passed: [2 of Int32] = [-1, -1]
        var truncated: Int32 = 0
        var span = passed.mutableSpan
        let result = unsafe span.withUnsafeMutableBufferPointer { descriptors in
            unsafe buffer.withUnsafeMutableBytes {
                unsafe linux_receive_packet(raw, $0.baseAddress, size, descriptors.baseAddress, &truncated)
            }
        }
        let packet = ReceivedPacket(
            count: result, first: Descriptor(owning: passed[0]), second: Descriptor(owning: passed[1]))
        try check(result, .socket)
        guard truncated == 0 else { throw .malformed(.tooLong) }
        return packet
    }

    /// Sends one packet.
    public func send(_ packet: [UInt8]) throws(Outcome) { try send(packet, packet.count, -1, -1) }

    /// Sends the first bytes of `packet` as one packet.
    func send(_ packet: [UInt8], first count: Int) throws(Outcome) { try send(packet, count, -1, -1) }

    /// Sends one packet, with a descriptor unless that is `none`.
    func send(_ packet: [UInt8], _ first: borrowing Descriptor) throws(Outcome) {
        try send(packet, packet.count, first.raw, -1)
    }

    func send(
        _ packet: [UInt8], _ first: borrowing Descriptor, _ second: borrowing Descriptor
    ) throws(Outcome) { try send(packet, packet.count, first.raw, second.raw) }

    private func send(_ packet: [UInt8], _ count: Int, _ first: Int32, _ second: Int32) throws(Outcome) {
        precondition(count <= packet.count)
        let passed: [2 of Int32] = [first, second]
        let result = unsafe passed.span.withUnsafeBufferPointer { descriptors in
            unsafe packet.withUnsafeBytes {
                unsafe linux_send_packet(raw, $0.baseAddress, count, descriptors.baseAddress)
            }
        }
        try check(result, .socket)
    }

    /// A socket for lines to the system log, or `none`.
    static func systemLog() -> Descriptor { Descriptor(owning: linux_log_socket()) }

    /// Sends a line to the system log (syslog(3)), without waiting if that is full.
    func log(_ line: [UInt8]) { _ = unsafe line.withUnsafeBytes { unsafe linux_log(raw, $0.baseAddress, $0.count) } }
}
