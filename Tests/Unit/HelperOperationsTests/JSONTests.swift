import Testing

@testable import HelperOperations

/// The scanner that reads runtimes' files.
@Suite struct JSONTests {
    private func members(_ text: String) throws(JSON.Damage) -> [String: String] {
        var json = JSON(Array(text.utf8))
        var found: [String: String] = [:]
        guard try json.enterObject() else { throw JSON.Damage() }
        while let name = try json.member() {
            found[String(decoding: name, as: UTF8.self)] = String(decoding: try json.stringValue(), as: UTF8.self)
        }
        guard try json.token() == nil else { throw JSON.Damage() }
        return found
    }

    @Test func tokens() throws {
        var json = JSON(Array(#" {"a\"}" : [-1.5e+3,true , null],"b":{}}"#.utf8))
        var tokens: [JSON.Token] = []
        while let token = try json.token() { tokens.append(token) }
        #expect(
            tokens == [
                .open(0x7b), .string(3..<7), .colon, .open(0x5b), .scalar(12..<19), .comma, .scalar(20..<24), .comma,
                .scalar(27..<31), .close(0x5d), .comma, .string(34..<35), .colon, .open(0x7b), .close(0x7d),
                .close(0x7d),
            ])
    }

    @Test(arguments: [
        (#"{"a":"b"}"#, "b"), ("{ \"a\" :\t\"b\" \n}", "b"), (#"{"a":""}"#, ""),
        (#"{"a":"\"\\\/\b\f\n\r\t"}"#, "\"\\/\u{8}\u{c}\n\r\t"), (#"{"a":"\u003c\u00e9\u2028"}"#, "<é\u{2028}"),
        (#"{"a":"\ud83d\ude00"}"#, "😀"), (#"{"\u0061":"é"}"#, "é"), (#"{"a":"x","a":"y"}"#, "y"),
    ])
    func strings(_ text: String, _ value: String) throws {
        #expect(try members(text) == ["a": value])
    }

    @Test(arguments: [
        "", "{", "}", "[", #""a""#, "null", #"{"a"}"#, #"{"a":}"#, #"{"a":"b""#, #"{"a":"b}"#, #"{"a":"b"}}"#,
        #"{"a":"b"} x"#,
        #"{"a":"\"#, #"{"a":"\u12"}"#, #"{"a":"\u12g4"}"#, #"{"a":"\x"}"#, #"{"a":"\ud83d\u0041"}"#, #"{"a" "b"}"#,
        "{'a':'b'}",
        #"{"a":1}"#, #"{1:"b"}"#, #"{"a":"b"/**/}"#,
    ])
    func damage(_ text: String) {
        #expect(throws: JSON.Damage.self) { try members(text) }
    }

    @Test(
        arguments: [
            ("0", 0), ("42", 42), ("9999999999999999999", 9_999_999_999_999_999_999), ("-1", nil), ("1.0", nil),
            ("1e3", nil),
            ("10000000000000000000", nil), ("true", nil), (#""1""#, nil), ("", nil),
        ] as [(String, UInt64?)])
    func numbers(_ text: String, _ value: UInt64?) {
        var json = JSON(Array(text.utf8))
        #expect((try? json.numberValue()) == value)
    }

    @Test(arguments: ["1", #""]""#, "[]", "{}", #"[[{"a":[1,{"b":"}"}]}],2]"#]) func skipping(_ value: String) throws {
        var json = JSON(Array("\(value) ,".utf8))
        try json.skipValue()
        #expect(try json.token() == .comma)
    }

    @Test(arguments: ["", "]", ",", ":", "[", "[1", #"{"a":[}"#, #"["a"#]) func skippingWhatIsNone(_ value: String) {
        var json = JSON(Array(value.utf8))
        #expect(throws: JSON.Damage.self) { try json.skipValue() }
    }

    /// A great many brackets take no stack.
    @Test func depth() throws {
        let depth = 200_000
        var json = JSON([UInt8](repeating: 0x5b, count: depth) + [UInt8](repeating: 0x5d, count: depth))
        try json.skipValue()
        #expect(try json.token() == nil)
    }
}
