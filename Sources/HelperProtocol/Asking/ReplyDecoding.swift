extension Reply {
    /// Reads one packet of the version that both sides have agreed on. The orchestrator trusts the helper no more than
    /// the helper trusts the orchestrator.
    public init(decoding bytes: Span<UInt8>, version: UInt16 = Limits.oldestVersion) throws(Malformed) {
        var reader = Reader(bytes, version: version)
        let header = try Header(from: &reader, packetBytes: bytes.count, limit: Limits.replyBytes, reply: true)
        kind = header.kind
        requestID = header.requestID
        outcome = try Outcome(status: header.last, from: &reader)
        facts = try Facts(from: &reader)
        try reader.end()
    }
}

extension Outcome {
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
        case 7 where reader.version > 1:
            self = .mountPoint(try MountIdentity(from: &reader), covers: try NodeIdentity(from: &reader))
        case 8 where reader.version > 1: self = .container(try ContainerFacts(from: &reader))
        default: throw .badFacts
        }
    }
}

extension DirectoryFacts {
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
}

extension ContainerFacts {
    init(from reader: inout Reader) throws(Malformed) {
        directory = try NodeIdentity(from: &reader)
        guard let state = State(rawValue: try reader.u8()) else { throw .badFacts }
        self.state = state
        pid = try reader.integer(UInt32.self)
        startTime = try reader.integer(UInt64.self)
        scope = try reader.byteArray(limit: Limits.componentBytes)
        let count = Int(try reader.u8())
        guard count <= Limits.containerCgroups, pid <= UInt32(Int32.max) else { throw .badFacts }
        for _ in 0..<count {
            cgroups.append(
                Cgroup(
                    controller: try reader.byteArray(limit: Limits.componentBytes),
                    path: try reader.byteArray(limit: Limits.cgroupPathBytes)))
        }
        if reader.version > 2 { bundle = try reader.byteArray(limit: Limits.bundleBytes) }
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
            guard let kind = RootKind(rawValue: try reader.u8()), kind.exists(in: version) else { throw .badFacts }
            roots.append(
                Root(
                    kind: kind, minimumDepth: try reader.u8(), maximumDepth: try reader.u8(),
                    path: try reader.inlineBytes(InlineBytes<256>.self),
                    names: try reader.inlineBytes(InlineBytes<65>.self),
                    mayKill: version > 1 ? try reader.flag() : false))
        }
        for _ in 0..<(try reader.u8()) {
            runtimes.append(
                Runtime(
                    name: try reader.inlineBytes(InlineBytes<65>.self),
                    stateRoot: try reader.inlineBytes(InlineBytes<256>.self), hooks: try reader.flag()))
        }
        features = version > 1 ? try reader.integer(UInt64.self) : 0
        guard roots.count <= Limits.roots, runtimes.count <= Limits.runtimes else { throw .badFacts }
    }
}
