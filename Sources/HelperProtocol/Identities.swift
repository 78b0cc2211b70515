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

/// An identity that a message can carry.
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
