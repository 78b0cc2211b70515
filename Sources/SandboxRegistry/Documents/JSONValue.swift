/// A JSON value as it was written: members in order, duplicate keys kept, numbers as their digits.
///
/// Foundation's `JSONDecoder` and `JSONSerialization` silently keep only one of two members with the same key, and
/// convert numbers to doubles. That is not acceptable for a document that decides what is deleted.
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The literal's characters.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    struct Member: Sendable, Equatable {
        var key: String
        var value: JSONValue
    }

    /// How an error names this kind of value, such as "a string".
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// A string map, sorted by the bytes of its keys, so that equal maps have equal text.
    init(_ map: [String: String]) {
        let keys = map.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self = .object(keys.map { Member(key: $0, value: .string(map[$0] ?? "")) })
    }

    init<Number: BinaryInteger>(_ number: Number) { self = .number("\(number)") }
}
