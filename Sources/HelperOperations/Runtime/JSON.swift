/// Reads JSON text (RFC 8259) one token at a time, without a tree, without recursion, and never beyond its end.
///
/// It reads the runtimes' state files. Only root writes them, but a container chooses much of their content, so a
/// string counts as a member's name only where the structure makes it one.
struct JSON {
    enum Token: Equatable {
        /// An opening `{` or `[`, and the closing bracket.
        case open(UInt8), close(UInt8)
        case colon, comma
        /// The text between a string's quotes; a number or a word.
        case string(Range<Int>), scalar(Range<Int>)
    }

    /// The text is cut off or is not JSON.
    struct Damage: Error {}

    private let bytes: [UInt8]
    private var next = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next token; nil at the end of the text.
    mutating func token() throws(Damage) -> Token? {
        while next < bytes.count, isBlank(bytes[next]) { next += 1 }
        guard next < bytes.count else { return nil }
        let first = bytes[next]
        next += 1
        switch first {
        case 0x7b, 0x5b: return .open(first)
        case 0x7d, 0x5d: return .close(first)
        case 0x3a: return .colon
        case 0x2c: return .comma
        case 0x22: return .string(try string())
        default: return .scalar(try scalar())
        }
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private mutating func string() throws(Damage) -> Range<Int> {
        let start = next
        while next < bytes.count {
            switch bytes[next] {
            case 0x22:
                next += 1
                return start..<(next - 1)
            case 0x5c: next += 2
            default: next += 1
            }
        }
        throw Damage()
    }

    private mutating func scalar() throws(Damage) -> Range<Int> {
        next -= 1
        let start = next
        while next < bytes.count {
            switch bytes[next] {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2d, 0x2e: next += 1
            default:
                guard next > start else { throw Damage() }
                return start..<next
            }
        }
        return start..<next
    }

    /// Consumes the beginning of an object; false if another value, such as `null`, is in its place.
    mutating func enterObject() throws(Damage) -> Bool { try enter(0x7b) }

    /// Consumes the beginning of an array; false if another value, such as `null`, is in its place.
    mutating func enterArray() throws(Damage) -> Bool { try enter(0x5b) }

    private mutating func enter(_ opening: UInt8) throws(Damage) -> Bool {
        switch try token() {
        case .open(opening): return true
        case .scalar: return false
        default: throw Damage()
        }
    }

    /// The name of the entered object's next member, whose value comes next; nil at the object's end.
    mutating func member() throws(Damage) -> [UInt8]? {
        var found = try token()
        if found == .comma { found = try token() }
        if found == .close(0x7d) { return nil }
        guard case .string(let name) = found, try token() == .colon else { throw Damage() }
        return try text(name)
    }

    /// The entered array's next string; nil at the array's end.
    mutating func element() throws(Damage) -> [UInt8]? {
        var found = try token()
        if found == .comma { found = try token() }
        if found == .close(0x5d) { return nil }
        guard case .string(let value) = found else { throw Damage() }
        return try text(value)
    }

    /// A value that is a string.
    mutating func stringValue() throws(Damage) -> [UInt8] {
        guard case .string(let value) = try token() else { throw Damage() }
        return try text(value)
    }

    /// A value that is a whole number.
    mutating func numberValue() throws(Damage) -> UInt64 {
        guard case .scalar(let value) = try token(), let number = bytes[value].number else { throw Damage() }
        return number
    }

    /// Skips a value of any kind.
    mutating func skipValue() throws(Damage) {
        var depth = 0
        repeat {
            switch try token() {
            case .open: depth += 1
            case .close where depth > 0: depth -= 1
            case .string, .scalar: break
            case .colon, .comma: guard depth > 0 else { throw Damage() }
            default: throw Damage()
            }
        } while depth > 0
    }

    /// The string in a range with its escapes decoded, in UTF-8.
    func text(_ range: Range<Int>) throws(Damage) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == 0x5c else {
                text.append(bytes[index])
                index += 1
                continue
            }
            guard index + 1 < range.upperBound else { throw Damage() }
            index += 2
            switch bytes[index - 1] {
            case 0x22, 0x2f, 0x5c: text.append(bytes[index - 1])
            case 0x62: text.append(0x08)
            case 0x66: text.append(0x0c)
            case 0x6e: text.append(0x0a)
            case 0x72: text.append(0x0d)
            case 0x74: text.append(0x09)
            case 0x75:
                var scalar = try hexadecimal(index..<min(index + 4, range.upperBound))
                index += 4
                if (0xd800..<0xdc00).contains(scalar), index + 6 <= range.upperBound, bytes[index] == 0x5c,
                    bytes[index + 1] == 0x75
                {
                    let low = try hexadecimal((index + 2)..<(index + 6))
                    guard (0xdc00..<0xe000).contains(low) else { throw Damage() }
                    scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
                    index += 6
                }
                text.append(utf8: scalar)
            default: throw Damage()
            }
        }
        return text
    }

    private func hexadecimal(_ range: Range<Int>) throws(Damage) -> UInt32 {
        guard range.count == 4 else { throw Damage() }
        var value: UInt32 = 0
        for index in range {
            switch bytes[index] {
            case 0x30...0x39: value = value << 4 | UInt32(bytes[index] - 0x30)
            case 0x41...0x46, 0x61...0x66: value = value << 4 | UInt32((bytes[index] & 0x0f) + 9)
            default: throw Damage()
            }
        }
        return value
    }
}

extension [UInt8] {
    /// Appends a code point, encoded in UTF-8.
    fileprivate mutating func append(utf8 scalar: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3f) }
        switch scalar {
        case ..<0x80: append(UInt8(scalar))
        case ..<0x800: self += [0xc0 | UInt8(scalar >> 6), tail(0)]
        case ..<0x10000: self += [0xe0 | UInt8(scalar >> 12), tail(6), tail(0)]
        default: self += [0xf0 | UInt8(scalar >> 18), tail(12), tail(6), tail(0)]
        }
    }
}
