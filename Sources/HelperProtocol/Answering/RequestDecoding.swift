extension RequestPacket {
    /// Reads one packet. Every byte is checked; throws the first thing that is wrong.
    public init(decoding bytes: Span<UInt8>) throws(Malformed) {
        var reader = Reader(bytes)
        let header = try Header(
            from: &reader, packetBytes: bytes.count, limit: Limits.requestBytes, reply: false)
        guard header.requestID != 0 else { throw .badRequestID }
        guard (1...Limits.deadlineMilliseconds).contains(header.last) else { throw .badDeadline }
        id = header.requestID
        deadline = header.last
        request = try Request(header.kind, from: &reader)
        try reader.end()
    }
}

extension Request {
    init(_ kind: Kind, from reader: inout Reader) throws(Malformed) {
        switch kind {
        case .hello:
            self = .hello(try VersionRange(from: &reader))
        case .unmount:
            self = .unmount(try Place(from: &reader), try reader.intent())
        case .deleteNetworkNamespace:
            self = .deleteNetworkNamespace(try Place(from: &reader), try reader.intent())
        case .removeDirectory:
            self = .removeDirectory(try Place(from: &reader), try DirectoryIntent(from: &reader))
        case .runtimeState:
            self = .runtimeState(try RuntimeTarget(from: &reader))
        case .runtimeKill:
            let target = try RuntimeTarget(from: &reader)
            let intent: Intent<NodeIdentity> = try reader.intent()
            let signal = try reader.u8()
            guard (1...64).contains(signal) else { throw .badSignal }
            self = .runtimeKill(target, intent, signal: signal, all: try reader.flag())
        case .runtimeDelete:
            self = .runtimeDelete(try RuntimeTarget(from: &reader), try reader.intent())
        case .runtimeList:
            self = .runtimeList(runtime: try reader.u8())
        }
    }
}

extension RuntimeTarget {
    init(from reader: inout Reader) throws(Malformed) {
        runtime = try reader.u8()
        id = try ContainerID(try reader.inlineBytes(InlineBytes<129>.self))
    }
}

extension DirectoryIntent {
    init(from reader: inout Reader) throws(Malformed) {
        switch try reader.u8() {
        case 0:
            self = .look(cursor: try reader.integer(UInt64.self))
        case 1:
            self = .act(only: nil, try Slice(from: &reader))
        case 2:
            self = .act(only: try NodeIdentity(from: &reader), try Slice(from: &reader))
        default:
            throw .badIntent
        }
    }
}

extension Slice {
    init(from reader: inout Reader) throws(Malformed) {
        entries = try reader.integer(UInt32.self)
        index = try reader.u8()
        count = try reader.u8()
        guard (1...Limits.sliceEntries).contains(entries), (1...Limits.shares).contains(count), index < count
        else { throw .badSlice }
    }
}

extension Reader {
    /// 0 look, 1 act, 2 act on the identity that follows.
    mutating func intent<Identity: WireIdentity>() throws(Malformed) -> Intent<Identity> {
        switch try u8() {
        case 0: return .look
        case 1: return .act(only: nil)
        case 2: return .act(only: try Identity(from: &self))
        default: throw .badIntent
        }
    }
}

extension Place {
    init(from reader: inout Reader) throws(Malformed) {
        root = try reader.u8()
        let count = try reader.u8()
        guard Int(count) <= Limits.components else { throw .badPlace }
        for _ in 0..<count { try append(reader.inlineBytes(InlineBytes<256>.self)) }
    }
}
