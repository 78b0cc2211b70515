/// The kind of a packet. On the wire, a reply has its request's kind with the top bit set.
public enum Kind: UInt16, Sendable, CaseIterable {
    case hello = 1
    case unmount = 2
    case deleteNamespace = 3
    case removeDirectory = 4
    case runtimeState = 5
    case runtimeKill = 6
    case runtimeDelete = 7
    case runtimeList = 8
}

/// The 24 bytes that begin every packet: magic, version, kind, request id and body length, and in `last` the deadline
/// of a request (in milliseconds) or the status of a reply.
struct Header {
    static var magic: UInt32 { 0x5052_4450 }  // "PDRP" in wire order
    static var replyBit: UInt16 { 0x8000 }

    var kind: Kind
    var requestID: UInt64
    var last: UInt32

    init(kind: Kind, requestID: UInt64, last: UInt32) {
        self.kind = kind
        self.requestID = requestID
        self.last = last
    }

    /// Reads a header of the reader's version. A Hello may have any version, because it determines the common version.
    init(from reader: inout Reader, packetBytes: Int, limit: Int, reply: Bool) throws(Malformed) {
        guard packetBytes <= limit else { throw .tooLong }
        guard try reader.integer(UInt32.self) == Header.magic else { throw .badMagic }
        let version = try reader.integer(UInt16.self)
        let kind = try reader.integer(UInt16.self)
        guard (kind & Header.replyBit != 0) == reply, let known = Kind(rawValue: kind & ~Header.replyBit)
        else { throw .unknownKind }
        guard version == reader.version || known == .hello else { throw .badVersion }
        self.kind = known
        requestID = try reader.integer(UInt64.self)
        let length = try reader.integer(UInt32.self)
        last = try reader.integer(UInt32.self)
        guard Int(length) == packetBytes - Limits.headerBytes else { throw .badLength }
    }

    /// Appends the header with a length of 0, which `seal` fills in when the body is complete.
    func encode(to out: inout [UInt8], reply: Bool, version: UInt16) {
        out.put(Header.magic)
        out.put(version)
        out.put(kind.rawValue | (reply ? Header.replyBit : 0))
        out.put(requestID)
        out.put(UInt32(0))
        out.put(last)
    }

    static func seal(_ out: inout [UInt8]) {
        let length = UInt32(truncatingIfNeeded: out.count - Limits.headerBytes)
        for index in 0..<4 { out[16 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
    }
}
