/// Reads little-endian fields from a packet, front to back, and never beyond its end.
struct Reader: ~Escapable {
    private let bytes: Span<UInt8>
    /// The protocol version of the packet that is read.
    let version: UInt16
    private(set) var position = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, version: UInt16) {
        self.bytes = bytes
        self.version = version
    }

    mutating func u8() throws(Malformed) -> UInt8 {
        guard position < bytes.count else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws(Malformed) -> T {
        var value: T = 0
        for index in 0..<(T.bitWidth / 8) {
            value |= T(truncatingIfNeeded: try u8()) << T(truncatingIfNeeded: 8 * index)
        }
        return value
    }

    /// Reads a flag, which is exactly 0 or 1.
    mutating func flag() throws(Malformed) -> Bool {
        switch try u8() {
        case 0: return false
        case 1: return true
        default: throw .badFlag
        }
    }

    /// Reads bytes preceded by a 16-bit count, which must not exceed `limit`.
    mutating func byteArray(limit: Int) throws(Malformed) -> [UInt8] {
        let count = Int(try integer(UInt16.self))
        guard count <= limit else { throw .tooLong }
        guard count <= bytes.count - position else { throw .truncated }
        var out: [UInt8] = []
        out.reserveCapacity(count)
        for _ in 0..<count { out.append(try u8()) }
        return out
    }

    /// Reads bytes preceded by an 8-bit count into inline storage.
    mutating func inlineBytes<let capacity: Int>(_: InlineBytes<capacity>.Type) throws(Malformed) -> InlineBytes<
        capacity
    > {
        let count = Int(try u8())
        guard count < capacity else { throw .tooLong }
        var out = InlineBytes<capacity>()
        for _ in 0..<count { _ = out.append(try u8()) }
        return out
    }

    /// Throws if bytes follow: trailing bytes are an error and never ignored.
    func end() throws(Malformed) {
        guard position == bytes.count else { throw .trailingBytes }
    }
}

extension [UInt8] {
    mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        for index in 0..<(T.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: 8 * index)))
        }
    }

    mutating func put(_ value: Bool) { append(value ? 1 : 0) }

    /// Appends a 16-bit count and the last `limit` bytes: the end of a path or log says most.
    mutating func put(_ bytes: [UInt8], limit: Int) {
        let first = Swift.max(0, bytes.count - limit)
        put(UInt16(truncatingIfNeeded: bytes.count - first))
        for index in first..<bytes.count { append(bytes[index]) }
    }

    mutating func put<let capacity: Int>(_ bytes: InlineBytes<capacity>) {
        append(UInt8(truncatingIfNeeded: bytes.count))
        for index in 0..<bytes.count { append(bytes[index]) }
    }
}
