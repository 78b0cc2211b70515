/// A byte string of bounded length, stored inline without allocation and always followed by a NUL.
public struct InlineBytes<let capacity: Int>: Sendable {
    private var storage = InlineArray<capacity, UInt8>(repeating: 0)
    /// The number of bytes, at most `capacity - 1`.
    public private(set) var count = 0

    public init() {}

    public subscript(index: Int) -> UInt8 { storage[index] }

    /// Appends a byte; false, without a change, if there is no room.
    public mutating func append(_ byte: UInt8) -> Bool {
        guard count + 1 < capacity else { return false }
        storage[count] = byte
        count += 1
        return true
    }

    /// The bytes with their terminating NUL, as a system call takes a path.
    public var terminated: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { storage.span.extracting(first: count + 1) }
    }

    /// The bytes, for use in loops: each `self[index]` copies the whole storage first.
    public var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { storage.span.extracting(first: count) }
    }

    /// The bytes as an array.
    public var array: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count)
        let bytes = span
        for index in 0..<count { out.append(bytes[index]) }
        return out
    }
}

extension InlineBytes: Equatable {
    public static func == (left: Self, right: Self) -> Bool {
        guard left.count == right.count else { return false }
        let (bytes, others) = (left.span, right.span)
        for index in 0..<left.count where bytes[index] != others[index] { return false }
        return true
    }
}
