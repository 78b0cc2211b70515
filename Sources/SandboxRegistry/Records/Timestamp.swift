package import FoundationEssentials

extension Date {
    /// The nearest whole microsecond, so that a stored record reads back equal to what was written.
    var inMicroseconds: Date { Date(microseconds: microseconds) }

    /// Microseconds since 1970, limited to ±100,000 years, because a date from outside must not trap here.
    var microseconds: Int64 { Int64((timeIntervalSince1970.clamped * 1_000_000).rounded()) }

    init(microseconds: Int64) { self.init(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    /// Parses RFC 3339. Foundation's parser alone accepts February 30, hour 25 and trailing text, so only the
    /// calendar's arithmetic is left to it, and its result must format back to the input.
    package init?(rfc3339 text: String) {
        var rest = Array(text.utf8)[...]
        guard rest.count >= 20, rest.allSatisfy({ $0 < 0x80 }) else { return nil }
        let base = String(text.prefix(19)) + "Z"
        let style = Date.ISO8601FormatStyle()
        guard let whole = try? style.parse(base), style.format(whole) == base else { return nil }
        rest = rest.dropFirst(19)

        var micros: Int64 = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count) else { return nil }
            let padded = (digits + [UInt8](repeating: 0x30, count: 6)).prefix(6)
            micros = padded.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
            rest = rest.dropFirst(digits.count + 1)
        }
        guard let offset = Date.offset(Array(rest)) else { return nil }
        self.init(microseconds: whole.microseconds + micros - offset * 1_000_000)
    }

    /// RFC 3339 in UTC, with six digits after the point if the second is not whole.
    var rfc3339: String {
        let fraction = ((microseconds % 1_000_000) + 1_000_000) % 1_000_000
        let whole = Date(microseconds: microseconds - fraction)
        let base = Date.ISO8601FormatStyle().format(whole)
        if fraction == 0 { return base }
        let digits = String(fraction)
        return base.dropLast() + "." + String(repeating: "0", count: 6 - digits.count) + digits + "Z"
    }

    /// Seconds east of UTC from `Z` or `+hh:mm`.
    private static func offset(_ zone: [UInt8]) -> Int64? {
        if zone == [UInt8(ascii: "Z")] { return 0 }
        guard zone.count == 6, zone[3] == UInt8(ascii: ":") else { return nil }
        let digits = [zone[1], zone[2], zone[4], zone[5]].map { Int64($0) - 0x30 }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
        let hours = digits[0] * 10 + digits[1]
        let minutes = digits[2] * 10 + digits[3]
        guard hours < 24, minutes < 60 else { return nil }
        switch zone[0] {
        case UInt8(ascii: "+"): return hours * 3600 + minutes * 60
        case UInt8(ascii: "-"): return -(hours * 3600 + minutes * 60)
        default: return nil
        }
    }
}

extension Duration {
    /// A number of seconds from a record, limited to ±100,000 years, because a number from outside must not trap here.
    package init(recordedSeconds seconds: Double) { self = .seconds(seconds.clamped) }

    package var inSeconds: Double { self / .seconds(1) }
    package var inMilliseconds: Double { self / .milliseconds(1) }
}

extension Double {
    fileprivate var clamped: Double { isNaN ? 0 : Swift.min(Swift.max(self, -3.2e12), 3.2e12) }
}
