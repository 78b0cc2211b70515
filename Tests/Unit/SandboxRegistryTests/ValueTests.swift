import Foundation
import Testing

@testable import SandboxRegistry

@Suite("JSON, signals, times, rules")
struct ValueTests {
    @Test func jsonKeepsOrderDuplicatesAndDigits() throws {
        let text = #" {"b": 1.50e+3, "a": [true, false, null, -0], "b": "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"} "#
        let value = try JSONReader.read(Array(text.utf8))
        #expect(
            value
                == .object([
                    .init(key: "b", value: .number("1.50e+3")),
                    .init(key: "a", value: .array([.bool(true), .bool(false), .null, .number("-0")])),
                    .init(key: "b", value: .string("\"\\/\u{8}\u{c}\n\r\té😀")),
                ]))
        #expect(try JSONReader.read(Array(value.compact.utf8)) == value)
        #expect(try JSONReader.read(Array(value.pretty.utf8)) == value)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "+1", ".5", "1.", "1e", "-", "tru",
        "nulll", "'a'", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
        "\"\\ud800\\n\"", "\"\n\"", "1 2", "{} {}", "[1 2]", "/*c*/1", "NaN", "\u{feff}1",
    ])
    func whatIsNoJSONIsRefused(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func jsonIsBoundedInDepthAndUTF8() throws {
        let deep = { (depth: Int) in Array((String(repeating: "[", count: depth) + "1").utf8) }
        #expect(throws: JSONSyntaxError(line: 1, column: 17, problem: "nested deeper than 16 levels")) {
            try JSONReader.read(deep(100_000))
        }
        #expect(throws: JSONSyntaxError(line: 2, column: 2, problem: "a string that is not UTF-8")) {
            try JSONReader.read(Array("\n ".utf8) + [0x22, 0xc3, 0x28, 0x22])
        }
    }

    @Test(arguments: [
        ("SIGTERM", 15), ("TERM", 15), ("15", 15), ("SIGKILL", 9), ("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX", 64),
        ("SIGRTMAX-1", 63), ("SIGPOLL", 29), ("SIGHUP", 1), ("SIGSYS", 31), ("64", 64), ("SIGRTMIN+30", 64),
    ])
    func signalsHaveNumbers(name: String, number: UInt8) {
        #expect(Signal.number(named: name) == number)
        #expect(Signal.number(named: Signal.name(of: number)) == number)
    }

    @Test(arguments: [
        "", "SIG", "0", "65", "-1", "+5", "256", "sigterm", "SIGRTMIN+31", "SIGRTMIN-1", "RTMINX", "SIGSIGTERM",
    ])
    func whatIsNoSignalHasNone(name: String) { #expect(Signal.number(named: name) == nil) }

    @Test(arguments: [
        ("2026-01-02T03:04:05Z", 1_767_323_045_000_000), ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456),
        ("2026-01-02T03:04:05.5-01:30", 1_767_328_445_500_000), ("1969-12-31T23:59:59.75Z", -250_000),
        ("2024-02-29T00:00:00+00:00", 1_709_164_800_000_000),
    ])
    func timesAreRead(text: String, microseconds: Int64) throws {
        let date = try #require(Date(rfc3339: text))
        #expect(date.microseconds == microseconds)
        #expect(Date(rfc3339: date.rfc3339) == date)
    }

    @Test(arguments: [
        "", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T25:04:05Z",
        "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.1234567890Z", "2026-01-02T03:04:05+2:00",
        "2026-01-02T03:04:05+24:00", "２026-01-02T03:04:05Z", "2026-13-02T03:04:05Z", "now and then in the year",
    ])
    func whatIsNoTimeIsRefused(text: String) { #expect(Date(rfc3339: text) == nil) }

    @Test func datesThatNoOneMeantDoNotTrap() {
        for interval in [Double.nan, .infinity, -.infinity, 1e300, -1e300] {
            _ = Date(timeIntervalSince1970: interval).inMicroseconds
        }
    }

    @Test func contextsAreParsedByLibselinux() {
        #expect(SELinux.level(ofContext: "u:r:t:s0:c1,c2") == "s0:c1,c2")
        #expect(SELinux.level(ofContext: "u:r:t:s0-s0:c0.c1023") == "s0-s0:c0.c1023")
        #expect(SELinux.level(ofContext: "u:r:t") == "")
        #expect(SELinux.level(ofContext: "nothing") == nil)
        #expect(SELinux.level(ofContext: "") == nil)
    }
}
