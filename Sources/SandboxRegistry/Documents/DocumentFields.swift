/// The fields of one object in a document. The initialiser refuses duplicate and unknown fields; reading a value
/// refuses missing and ill-typed fields.
struct DocumentFields {
    let path: String
    private var values: [String: JSONValue] = [:]

    init(_ value: JSONValue, at path: String, known: [String]) throws(DocumentError) {
        self.path = path
        for member in try Self.members(value, at: path) {
            let field = Self.join(path, member.key)
            guard known.contains(member.key) else {
                let expected = known.joined(separator: ", ")
                throw DocumentError(field, "unknown field; expected one of \(expected)")
            }
            values[member.key] = member.value
        }
    }

    /// The members of an object. Throws if the value is not an object, or if a key occurs twice.
    private static func members(_ value: JSONValue, at path: String) throws(DocumentError) -> [JSONValue.Member] {
        guard case .object(let members) = value else {
            throw DocumentError(path.isEmpty ? "document" : path, "is \(value.kind); expected an object")
        }
        var keys: Set<String> = []
        for member in members where !keys.insert(member.key).inserted {
            throw DocumentError(join(path, member.key), "duplicate; expected once")
        }
        return members
    }

    func field(_ key: String) -> String { Self.join(path, key) }

    /// A key that is not a plain word is quoted and escaped, because it may contain anything.
    private static func join(_ path: String, _ key: String) -> String {
        let plain =
            !key.isEmpty && key.utf8.count <= 64
            && key.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2d: true
                default: false
                }
            }
        if plain { return path.isEmpty ? key : "\(path).\(key)" }
        return "\(path)[\(RecordRules.quoted(key))]"
    }

    func value(_ key: String) -> JSONValue? { values[key] }

    func required(_ key: String, _ kind: String) throws(DocumentError) -> JSONValue {
        guard let value = values[key] else { throw DocumentError(field(key), "missing; expected \(kind)") }
        return value
    }

    func string(_ key: String) throws(DocumentError) -> String {
        try Self.string(try required(key, "a string"), at: field(key))
    }

    func optionalString(_ key: String) throws(DocumentError) -> String? {
        guard let value = values[key] else { return nil }
        return try Self.string(value, at: field(key))
    }

    func integer<Number: FixedWidthInteger>(
        _ key: String, in range: ClosedRange<Number>
    ) throws(DocumentError) -> Number {
        try Self.integer(try required(key, "an integer"), in: range, at: field(key))
    }

    func optionalInteger<Number: FixedWidthInteger>(
        _ key: String, in range: ClosedRange<Number>
    ) throws(DocumentError) -> Number? {
        guard let value = values[key] else { return nil }
        return try Self.integer(value, in: range, at: field(key))
    }

    /// A map of strings with any keys; empty if the field is absent.
    func map(_ key: String) throws(DocumentError) -> [String: String] {
        guard let value = values[key] else { return [:] }
        var map: [String: String] = [:]
        for member in try Self.members(value, at: field(key)) {
            map[member.key] = try Self.string(member.value, at: Self.join(field(key), member.key))
        }
        return map
    }

    /// The array's values, each with its path; empty if the field is absent.
    func array(_ key: String) throws(DocumentError) -> [(field: String, value: JSONValue)] {
        guard let value = values[key] else { return [] }
        guard case .array(let elements) = value else {
            throw DocumentError(field(key), "is \(value.kind); expected an array")
        }
        return elements.enumerated().map { ("\(field(key))[\($0)]", $1) }
    }

    func strings(_ key: String) throws(DocumentError) -> [String] {
        var strings: [String] = []
        for (field, value) in try array(key) { strings.append(try Self.string(value, at: field)) }
        return strings
    }

    func integers<Number: FixedWidthInteger>(
        _ key: String, in range: ClosedRange<Number>
    ) throws(DocumentError) -> [Number] {
        var integers: [Number] = []
        for (field, value) in try array(key) { integers.append(try Self.integer(value, in: range, at: field)) }
        return integers
    }

    private static func string(_ value: JSONValue, at field: String) throws(DocumentError) -> String {
        guard case .string(let string) = value else {
            throw DocumentError(field, "is \(value.kind); expected a string")
        }
        return string
    }

    static func integer<Number: FixedWidthInteger>(
        _ value: JSONValue, in range: ClosedRange<Number>, at field: String
    ) throws(DocumentError) -> Number {
        let expected = "expected an integer from \(range.lowerBound) to \(range.upperBound)"
        guard case .number(let digits) = value else {
            throw DocumentError(field, "is \(value.kind); \(expected)")
        }
        guard let number = Number(digits), range.contains(number) else {
            throw DocumentError(field, "is \(digits.prefix(32)); \(expected)")
        }
        return number
    }
}
