/// A JSON text as it was written: members in order, duplicate keys kept, numbers as their digits.
///
/// Foundation's `JSONDecoder` and `JSONSerialization` keep one of two members with the same key and say nothing,
/// and turn numbers into doubles; a document that decides what is deleted must not be read so.
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

    /// "a string": what an error calls it.
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

    /// A string map in the order of its keys' bytes, so that equal maps have equal text.
    init(_ map: [String: String]) {
        let keys = map.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self = .object(keys.map { Member(key: $0, value: .string(map[$0] ?? "")) })
    }

    init<Number: BinaryInteger>(_ number: Number) { self = .number("\(number)") }
}
