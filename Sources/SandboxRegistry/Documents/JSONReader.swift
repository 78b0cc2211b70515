/// Where and why a text is not JSON (RFC 8259). Lines and columns count from 1, columns in bytes.
struct JSONSyntaxError: Error, Equatable {
    var line: Int
    var column: Int
    var problem: String
}

/// A strict reader of JSON in UTF-8; `JSONValue` explains why Foundation's is not used.
struct JSONReader {
    /// The deepest nesting that is accepted. It bounds the recursion; no document needs as much.
    static let depth = 16

    private let bytes: [UInt8]
    private var position = 0

    static func read(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.position == bytes.count else { throw reader.error("unexpected text after the document's end") }
        return value
    }

    /// Reads several texts, with or without space or newlines between them. Returns each value with the length of its
    /// text in bytes.
    static func readAll(_ bytes: [UInt8]) throws(JSONSyntaxError) -> [(value: JSONValue, length: Int)] {
        var reader = JSONReader(bytes: bytes)
        var values: [(value: JSONValue, length: Int)] = []
        while true {
            reader.skipSpace()
            if reader.next == nil { return values }
            let start = reader.position
            let value = try reader.value(depth: 0)
            values.append((value, reader.position - start))
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func error(_ problem: String, at place: Int? = nil) -> JSONSyntaxError {
        let before = bytes[..<(place ?? position)]
        let column = before.count - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
        return JSONSyntaxError(line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: column, problem: problem)
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        guard depth < Self.depth else { throw error("nested deeper than \(Self.depth) levels") }
        guard let next else { throw error("the text ends where a value is expected") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default:
            for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
            where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw error("expected a value")
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("expected a field's name in quotes") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("expected : after a field's name") }
            members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw error("expected , or } after a field") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(values) }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw error("expected , or ] after a value") }
        return .array(values)
    }

    private mutating func number() throws(JSONSyntaxError) -> String {
        let start = position
        _ = take("-")
        if !take("0") { guard digits() else { throw error("expected a digit") } }
        if take(".") { guard digits() else { throw error("expected a digit") } }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { throw error("expected a digit") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw error("a string that is not UTF-8", at: start)
                }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: try escape())
            case 0..<0x20: throw error("a control character in a string; write it as \\u00..", at: position - 1)
            default: text.append(byte)
            }
        }
        throw error("a string without its closing quote", at: start)
    }

    private mutating func escape() throws(JSONSyntaxError) -> [UInt8] {
        let start = position - 1
        guard let byte = next else { throw error("a string without its closing quote", at: start) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xd800..<0xdc00).contains(code), take("\\"), take("u") {
                let low = try hexadecimal()
                guard (0xdc00..<0xe000).contains(low) else { throw error("half a surrogate pair", at: start) }
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair", at: start) }
            return Array(String(Character(scalar)).utf8)
        default: throw error("an escape that JSON does not have", at: start)
        }
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
