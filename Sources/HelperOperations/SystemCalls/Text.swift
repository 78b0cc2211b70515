internal import CLinux

extension StaticString {
    /// One byte of the text. The index is checked: one outside the text stops the process.
    func byte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < utf8CodeUnitCount)
        return unsafe utf8Start[index]
    }
}

extension Collection where Element == UInt8 {
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for (index, byte) in enumerated() where byte != text.byte(index) { return false }
        return true
    }
}

extension ArraySlice<UInt8> {
    /// The number that at most 19 decimal digits give; nil for anything else.
    var number: UInt64? {
        guard !isEmpty, count < 20 else { return nil }
        var value: UInt64 = 0
        for byte in self {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + UInt64(byte - 0x30)
        }
        return value
    }
}

extension [UInt8] {
    mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { append(text.byte(index)) }
    }

    /// Appends decimal digits. Embedded Swift's own formatting would link Unicode tables.
    mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(0x30 + UInt8(number % 10))
    }
}

/// The bytes of a compile-time string.
public func text(_ text: StaticString) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(text)
    return bytes
}

/// One of the program's arguments; nil beyond the last.
public func programArgument(
    _ arguments: UnsafePointer<UnsafePointer<UInt8>?>, _ index: Int, of count: Int32
) -> [UInt8]? {
    guard index < Int(count), var next = unsafe arguments[index] else { return nil }
    var bytes: [UInt8] = []
    while unsafe next.pointee != 0 {
        unsafe bytes.append(next.pointee)
        unsafe next += 1
    }
    return bytes
}

/// Writes to standard error, for a person who started the program by hand.
public func explain(_ text: StaticString) {
    _ = unsafe write(2, text.utf8Start, text.utf8CodeUnitCount)
}
