import HelperProtocol

/// One packet for each reason, made by hand: nothing that encodes can write them.
enum MalformedVectors {
    /// Unmount of root 0, component "a", look.
    private static let unmount: [UInt8] = [0, 1, 1, 0x61, 0]

    static let all: [BadVector] = [
        // The length is right, and the body ends within its first component.
        request(.truncated, RawPacket(kind: 2, body: [0, 1, 5, 0x61])),
        request(.trailingBytes, RawPacket(kind: 2, body: unmount + [0])),
        request(.badMagic, RawPacket(magic: [0x50, 0x44, 0x52, 0x51], kind: 2, body: unmount)),
        request(.badVersion, RawPacket(version: 2, kind: 2, body: unmount)),
        request(.unknownKind, RawPacket(kind: 9, body: unmount)),
        request(.badLength, RawPacket(kind: 2, length: 6, body: unmount)),
        // RuntimeKill of "a" by runtime 0, act, signal 9, and 2 for `all`.
        request(.badFlag, RawPacket(kind: 6, body: [0, 1, 0x61, 1, 9, 2])),
        request(.badPlace, RawPacket(kind: 2, body: [0, 17] + (0..<17).flatMap { _ in [1, 0x61] } + [0])),
        request(.badComponent, RawPacket(kind: 2, body: [0, 1, 2, 0x2e, 0x2e, 0])),
        request(.badContainerID, RawPacket(kind: 5, body: [0, 2, 0x2d, 0x61])),
        request(.badIntent, RawPacket(kind: 2, body: [0, 1, 1, 0x61, 3])),
        request(.badSignal, RawPacket(kind: 6, body: [0, 1, 0x61, 1, 65, 0])),
        request(.badSlice, RawPacket(kind: 4, body: [0, 1, 1, 0x61, 1, 0, 0, 0, 0, 0, 1])),
        request(.badDeadline, RawPacket(kind: 2, last: 0, body: unmount)),
        request(.tooLong, RawPacket(kind: 2, body: unmount + [UInt8](repeating: 0, count: 4097 - 24 - 5))),
        reply(.badStatus, RawPacket(kind: 0x8002, last: 8, body: [0])),
        reply(.badFacts, RawPacket(kind: 0x8002, last: 0, body: [7])),
        // Good, but not as the first packet.
        conversation(.outOfOrder, RawPacket(kind: 2, body: unmount)),
        // Good, but not before the answer to the one before it.
        conversation(.pipelined, RawPacket(kind: 2, id: 2, body: unmount)),
        request(.badRequestID, RawPacket(kind: 2, id: 0, body: unmount)),
        // Good, but not with a file descriptor.
        conversation(.unexpectedDescriptor, RawPacket(kind: 1, body: [1, 0, 1, 0])),
        // RuntimeKill of "a" by runtime 0, act, signal 9, in no cgroup at all.
        BadVector(
            reason: .badCgroups, fault: .request,
            bytes: RawPacket(version: 2, kind: 6, body: [0, 1, 0x61, 1, 9, 2, 0]).bytes, version: 2),
        // RuntimeKill of "a" by runtime 0, act, signal 9, of no process in the cgroup "b" beneath root 0.
        BadVector(
            reason: .badProcesses, fault: .request,
            bytes: RawPacket(
                version: 2, kind: 6,
                body: [0, 1, 0x61, 1, 9, 3, 0, 1, 1, 0x62] + [UInt8](repeating: 0, count: 24) + [0]
            ).bytes, version: 2),
    ]

    private static func request(_ reason: Malformed, _ packet: RawPacket) -> BadVector {
        BadVector(reason: reason, fault: .request, bytes: packet.bytes)
    }

    private static func reply(_ reason: Malformed, _ packet: RawPacket) -> BadVector {
        BadVector(reason: reason, fault: .reply, bytes: packet.bytes)
    }

    private static func conversation(_ reason: Malformed, _ packet: RawPacket) -> BadVector {
        BadVector(reason: reason, fault: .conversation, bytes: packet.bytes)
    }
}
