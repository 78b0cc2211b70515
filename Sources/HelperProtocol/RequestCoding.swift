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

    /// The packet's bytes.
    public func encoded() -> [UInt8] {
        var out: [UInt8] = []
        Header(kind: request.kind, requestID: id, last: deadline).encode(to: &out, reply: false)
        request.encode(to: &out)
        Header.seal(&out)
        return out
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

    func encode(to out: inout [UInt8]) {
        switch self {
        case .hello(let versions):
            versions.encode(to: &out)
        case .unmount(let place, let intent):
            place.encode(to: &out)
            out.put(intent)
        case .deleteNetworkNamespace(let place, let intent):
            place.encode(to: &out)
            out.put(intent)
        case .removeDirectory(let place, let intent):
            place.encode(to: &out)
            intent.encode(to: &out)
        case .runtimeState(let target):
            target.encode(to: &out)
        case .runtimeKill(let target, let intent, let signal, let all):
            target.encode(to: &out)
            out.put(intent)
            out.put(signal)
            out.put(all)
        case .runtimeDelete(let target, let intent):
            target.encode(to: &out)
            out.put(intent)
        case .runtimeList(let runtime):
            out.put(runtime)
        }
    }
}

extension VersionRange {
    init(from reader: inout Reader) throws(Malformed) {
        minimum = try reader.integer(UInt16.self)
        maximum = try reader.integer(UInt16.self)
        guard minimum <= maximum else { throw .badVersion }
    }

    func encode(to out: inout [UInt8]) {
        out.put(minimum)
        out.put(maximum)
    }
}

extension RuntimeTarget {
    init(from reader: inout Reader) throws(Malformed) {
        runtime = try reader.u8()
        id = try ContainerID(try reader.inlineBytes(InlineBytes<129>.self))
    }

    func encode(to out: inout [UInt8]) {
        out.put(runtime)
        out.put(id.bytes)
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

    func encode(to out: inout [UInt8]) {
        switch self {
        case .look(let cursor):
            out.put(UInt8(0))
            out.put(cursor)
        case .act(let only, let slice):
            out.put(UInt8(only == nil ? 1 : 2))
            only?.encode(to: &out)
            slice.encode(to: &out)
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

    func encode(to out: inout [UInt8]) {
        out.put(entries)
        out.put(index)
        out.put(count)
    }
}

/// An identity as a message carries it.
protocol WireIdentity: Sendable, Equatable {
    init(from reader: inout Reader) throws(Malformed)
    func encode(to out: inout [UInt8])
}

extension MountIdentity: WireIdentity {
    init(from reader: inout Reader) throws(Malformed) {
        id = try reader.integer(UInt64.self)
        unique = try reader.flag()
    }

    func encode(to out: inout [UInt8]) {
        out.put(id)
        out.put(unique)
    }
}

extension NodeIdentity: WireIdentity {
    init(from reader: inout Reader) throws(Malformed) {
        device = try reader.integer(UInt64.self)
        inode = try reader.integer(UInt64.self)
        birth = try reader.integer(UInt64.self)
    }

    func encode(to out: inout [UInt8]) {
        out.put(device)
        out.put(inode)
        out.put(birth)
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

extension [UInt8] {
    mutating func put<Identity: WireIdentity>(_ intent: Intent<Identity>) {
        switch intent {
        case .look: put(UInt8(0))
        case .act(nil): put(UInt8(1))
        case .act(let only?):
            put(UInt8(2))
            only.encode(to: &self)
        }
    }
}
