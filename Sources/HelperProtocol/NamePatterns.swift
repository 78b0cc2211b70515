/// The patterns for names beneath a namespace root: `uuid`, or a prefix followed by `*`; several are separated by a
/// blank.
public struct NamePatterns {
    private let text: InlineBytes<65>
    public init(_ text: InlineBytes<65>) { self.text = text }

    /// Whether a name matches one of the patterns.
    public func match(_ name: InlineBytes<256>) -> Bool {
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == 0x20 {
            if matches(start..<index, name) { return true }
            start = index + 1
        }
        return false
    }

    private func matches(_ pattern: Range<Int>, _ name: InlineBytes<256>) -> Bool {
        guard let last = pattern.last else { return false }
        guard text[last] == 0x2a else { return name.isUUID }
        let prefix = pattern.dropLast()
        guard name.count > prefix.count else { return false }
        for (index, position) in prefix.enumerated() where text[position] != name[index] { return false }
        return true
    }
}

extension InlineBytes {
    /// Whether this is a UUID: 8-4-4-4-12 lower-case hexadecimal digits (RFC 9562).
    public var isUUID: Bool {
        guard count == 36 else { return false }
        for index in 0..<36 {
            switch (index, self[index]) {
            case (8, 0x2d), (13, 0x2d), (18, 0x2d), (23, 0x2d): continue
            case (8, _), (13, _), (18, _), (23, _): return false
            case (_, 0x30...0x39), (_, 0x61...0x66): continue
            default: return false
            }
        }
        return true
    }
}
