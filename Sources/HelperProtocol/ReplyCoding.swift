extension Reply {
    /// Reads one packet. The orchestrator trusts the helper no more than the helper trusts it.
    public init(decoding bytes: Span<UInt8>) throws(Malformed) {
        var reader = Reader(bytes)
        let header = try Header(from: &reader, packetBytes: bytes.count, limit: Limits.replyBytes, reply: true)
        kind = header.kind
        requestID = header.requestID
        outcome = try Outcome(status: header.last, from: &reader)
        facts = try Facts(from: &reader)
        try reader.end()
    }

    /// Replaces what is in `out` with the packet's bytes. The capacity is kept, so a buffer that is used again
    /// costs no allocation.
    public func encode(into out: inout [UInt8]) {
        out.removeAll(keepingCapacity: true)
        Header(kind: kind, requestID: requestID, last: outcome.status).encode(to: &out, reply: true)
        outcome.encode(to: &out)
        facts.encode(to: &out)
        Header.seal(&out)
    }
}

extension Outcome {
    var status: UInt32 {
        switch self {
        case .done: 0
        case .alreadyDone: 1
        case .inProgress: 2
        case .refused: 3
        case .malformed: 4
        case .failed: 5
        case .timedOut: 6
        case .unsupported: 7
        }
    }

    init(status: UInt32, from reader: inout Reader) throws(Malformed) {
        switch status {
        case 0: self = .done
        case 1: self = .alreadyDone
        case 2: self = .inProgress
        case 3:
            guard let rule = Rule(rawValue: try reader.integer(UInt16.self)) else { throw .badStatus }
            self = .refused(rule, detail: try reader.byteArray(limit: Limits.detailBytes))
        case 4:
            guard let reason = Malformed(rawValue: try reader.integer(UInt16.self)) else { throw .badStatus }
            self = .malformed(reason)
        case 5:
            let errno = try reader.integer(UInt32.self)
            guard let call = Call(rawValue: try reader.integer(UInt16.self)) else { throw .badStatus }
            self = .failed(Failure(errno: errno, call: call, detail: try reader.byteArray(limit: Limits.detailBytes)))
        case 6: self = .timedOut
        case 7: self = .unsupported(try VersionRange(from: &reader))
        default: throw .badStatus
        }
    }

    func encode(to out: inout [UInt8]) {
        switch self {
        case .done, .alreadyDone, .inProgress, .timedOut: break
        case .refused(let rule, let detail):
            out.put(rule.rawValue)
            out.put(detail, limit: Limits.detailBytes)
        case .malformed(let reason):
            out.put(reason.rawValue)
        case .failed(let failure):
            out.put(failure.errno)
            out.put(failure.call.rawValue)
            out.put(failure.detail, limit: Limits.detailBytes)
        case .unsupported(let versions):
            versions.encode(to: &out)
        }
    }
}

extension Facts {
    init(from reader: inout Reader) throws(Malformed) {
        switch try reader.u8() {
        case 0: self = .none
        case 1: self = .welcome(try Welcome(from: &reader))
        case 2: self = .mount(try MountIdentity(from: &reader))
        case 3: self = .namespace(try NodeIdentity(from: &reader), mounted: try reader.flag())
        case 4: self = .directory(try DirectoryFacts(from: &reader))
        case 5: self = .count(try reader.integer(UInt64.self))
        case 6: self = .runtime(try RuntimeFacts(from: &reader))
        default: throw .badFacts
        }
    }

    func encode(to out: inout [UInt8]) {
        switch self {
        case .none:
            out.put(UInt8(0))
        case .welcome(let welcome):
            out.put(UInt8(1))
            welcome.encode(to: &out)
        case .mount(let identity):
            out.put(UInt8(2))
            identity.encode(to: &out)
        case .namespace(let identity, let mounted):
            out.put(UInt8(3))
            identity.encode(to: &out)
            out.put(mounted)
        case .directory(let facts):
            out.put(UInt8(4))
            facts.encode(to: &out)
        case .count(let count):
            out.put(UInt8(5))
            out.put(count)
        case .runtime(let facts):
            out.put(UInt8(6))
            facts.encode(to: &out)
        }
    }
}

extension DirectoryFacts {
    /// The most bytes that a page's names may take, so that the packet stays within `Limits.replyBytes`.
    public static var pageBytes: Int { 8192 }

    init(from reader: inout Reader) throws(Malformed) {
        identity = try NodeIdentity(from: &reader)
        next = try reader.integer(UInt64.self)
        children = []
        for _ in 0..<(try reader.integer(UInt16.self)) {
            let type = try reader.u8()
            let name = try reader.inlineBytes(InlineBytes<256>.self)
            guard name.isFileName else { throw .badFacts }
            children.append(Child(type: type, name: name.array))
        }
    }

    func encode(to out: inout [UInt8]) {
        identity.encode(to: &out)
        out.put(next)
        out.put(UInt16(truncatingIfNeeded: children.count))
        for child in children {
            out.put(child.type)
            out.put(UInt8(truncatingIfNeeded: child.name.count))
            for byte in child.name { out.append(byte) }
        }
    }
}

extension RuntimeFacts {
    init(from reader: inout Reader) throws(Malformed) {
        status = Int32(bitPattern: try reader.integer(UInt32.self))
        stateDirectory = try reader.flag() ? try NodeIdentity(from: &reader) : nil
        errorOutput = try reader.byteArray(limit: Limits.errorOutputBytes)
        output =
            try reader.flag()
            ? .memfd(bytes: try reader.integer(UInt32.self))
            : .inline(try reader.byteArray(limit: Limits.inlineOutputBytes))
    }

    func encode(to out: inout [UInt8]) {
        out.put(UInt32(bitPattern: status))
        out.put(stateDirectory != nil)
        stateDirectory?.encode(to: &out)
        out.put(errorOutput, limit: Limits.errorOutputBytes)
        switch output {
        case .inline(let bytes):
            out.put(false)
            out.put(bytes, limit: Limits.inlineOutputBytes)
        case .memfd(let bytes):
            out.put(true)
            out.put(bytes)
        }
    }
}

extension Welcome {
    init(from reader: inout Reader) throws(Malformed) {
        version = try reader.integer(UInt16.self)
        release = try reader.inlineBytes(InlineBytes<33>.self)
        missing = try reader.integer(UInt64.self)
        roots = []
        runtimes = []
        for _ in 0..<(try reader.u8()) {
            guard let kind = RootKind(rawValue: try reader.u8()) else { throw .badFacts }
            roots.append(
                Root(
                    kind: kind, minimumDepth: try reader.u8(), maximumDepth: try reader.u8(),
                    path: try reader.inlineBytes(InlineBytes<256>.self),
                    names: try reader.inlineBytes(InlineBytes<65>.self)))
        }
        for _ in 0..<(try reader.u8()) {
            runtimes.append(
                Runtime(
                    name: try reader.inlineBytes(InlineBytes<65>.self),
                    stateRoot: try reader.inlineBytes(InlineBytes<256>.self), hooks: try reader.flag()))
        }
        guard roots.count <= Limits.roots, runtimes.count <= Limits.runtimes else { throw .badFacts }
    }

    func encode(to out: inout [UInt8]) {
        out.put(version)
        out.put(release)
        out.put(missing)
        out.put(UInt8(truncatingIfNeeded: roots.count))
        for root in roots {
            out.put(root.kind.rawValue)
            out.put(root.minimumDepth)
            out.put(root.maximumDepth)
            out.put(root.path)
            out.put(root.names)
        }
        out.put(UInt8(truncatingIfNeeded: runtimes.count))
        for runtime in runtimes {
            out.put(runtime.name)
            out.put(runtime.stateRoot)
            out.put(runtime.hooks)
        }
    }
}
