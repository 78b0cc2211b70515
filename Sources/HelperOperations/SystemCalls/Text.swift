internal import CLinux

extension StaticString {
    /// One byte of the text. Checked: an index outside it stops the process.
    func byte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < utf8CodeUnitCount)
        return unsafe utf8Start[index]
    }
}

extension [UInt8] {
    mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { append(text.byte(index)) }
    }

    /// Decimal digits: Embedded Swift's own formatting would bring Unicode tables along.
    mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(0x30 + UInt8(number % 10))
    }
}

/// The bytes of a text that is known when the program is built.
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

/// Says something to whoever started the program by hand.
public func explain(_ text: StaticString) {
    _ = unsafe write(2, text.utf8Start, text.utf8CodeUnitCount)
}
