extension RequestPacket {
    /// Reads one packet of the version that both sides have agreed on. Every byte is checked; the first error found is
    /// thrown.
    public init(decoding bytes: Span<UInt8>, version: UInt16 = Limits.oldestVersion) throws(Malformed) {
        var reader = Reader(bytes, version: version)
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
            self = try Self.unmount(at: try Place(from: &reader), from: &reader)
        case .deleteNamespace:
            self = .deleteNamespace(try Place(from: &reader), try reader.intent())
        case .removeDirectory:
            self = .removeDirectory(try Place(from: &reader), try DirectoryIntent(from: &reader))
        case .runtimeState:
            self = .runtimeState(try RuntimeTarget(from: &reader))
        case .runtimeKill:
            let target = try RuntimeTarget(from: &reader)
            let intent: Intent<NodeIdentity> = try reader.intent()
            let signal = try reader.u8()
            guard (1...64).contains(signal) else { throw .badSignal }
            switch try reader.u8() {
            case let all where all < 2:
                self = .runtimeKill(target, intent, signal: signal, all: all == 1)
            case 2 where reader.version > 1:
                self = .runtimeKillCgroups(target, intent, signal: signal, try reader.cgroupTargets())
            case 3 where reader.version > 1:
                self = .runtimeKillProcesses(target, intent, signal: signal, try ProcessTargets(from: &reader))
            default: throw .badFlag
            }
        case .runtimeDelete:
            self = try Self.runtimeDelete(try RuntimeTarget(from: &reader), from: &reader)
        case .runtimeList:
            self = .runtimeList(runtime: try reader.u8())
        }
    }

    private static func runtimeDelete(
        _ target: RuntimeTarget, from reader: inout Reader
    ) throws(Malformed) -> Request {
        switch try reader.u8() {
        case 0: return .runtimeDelete(target, .look)
        case 1: return .runtimeDelete(target, .act(only: nil))
        case 2: return .runtimeDelete(target, .act(only: try NodeIdentity(from: &reader)))
        case 3 where reader.version > 1: return .runtimeForget(target, only: try NodeIdentity(from: &reader))
        default: throw .badIntent
        }
    }

    private static func unmount(at place: Place, from reader: inout Reader) throws(Malformed) -> Request {
        var only: NodeIdentity?
        switch try reader.u8() {
        case 0: return .unmount(place, .look)
        case 1: return .unmount(place, .act(only: nil))
        case 2: return .unmount(place, .act(only: try MountIdentity(from: &reader)))
        case 3 where reader.version > 1: break
        case 4 where reader.version > 1: only = try NodeIdentity(from: &reader)
        default: throw .badIntent
        }
        let most = try reader.integer(UInt32.self)
        guard (1...Limits.sliceEntries).contains(most) else { throw .badSlice }
        return .unmountBeneath(place, only: only, most: most)
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

extension ProcessTargets {
    init(from reader: inout Reader) throws(Malformed) {
        place = try Place(from: &reader)
        identity = try NodeIdentity(from: &reader)
        processes = []
        let count = Int(try reader.u8())
        guard (1...Limits.cgroupProcesses).contains(count) else { throw .badProcesses }
        for _ in 0..<count { processes.append(try ProcessIdentity(from: &reader)) }
    }
}

extension ProcessIdentity {
    init(from reader: inout Reader) throws(Malformed) {
        pid = try reader.integer(UInt32.self)
        guard (1...UInt32(Int32.max)).contains(pid) else { throw .badProcesses }
        startTime = try reader.integer(UInt64.self)
    }
}

extension Reader {
    mutating func cgroupTargets() throws(Malformed) -> [CgroupTarget] {
        let count = Int(try u8())
        guard (1...Limits.cgroupTargets).contains(count) else { throw .badCgroups }
        var targets: [CgroupTarget] = []
        for _ in 0..<count {
            targets.append(
                CgroupTarget(
                    place: try Place(from: &self), identity: try NodeIdentity(from: &self), isExclusive: try flag()))
        }
        return targets
    }

    /// Reads an intent: 0 is look, 1 is act, 2 is act only on the identity that follows.
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
