/// The rules for ids, names and paths of records. They are in one place because the document, the registry and the
/// command line's arguments must agree with what the helper accepts.
public enum RecordRules {
    /// The longest sandbox or container id, in bytes; the helper's own bound.
    public static let idBytes = 128
    /// The longest name of a runtime in the helper's policy, in bytes.
    public static let runtimeBytes = 64
    /// The longest pod or container name, namespace, uid or boot id, in bytes (RFC 1123's bound).
    public static let nameBytes = 253
    /// The longest path, in bytes (PATH_MAX without its NUL).
    public static let pathBytes = 4095
    /// The longest SELinux context, in bytes (a page, as in `/proc/PID/attr/current`).
    public static let contextBytes = 4095

    /// The rule for ids, as the end of a sentence: "expected …".
    public static let idRule =
        "1 to 128 of A-Z a-z 0-9 _ . + -, the first a letter, a digit or _"

    /// What is wrong with an id (or the beginning of one), or nil.
    public static func problem(id: String) -> String? {
        problem(id, bytes: idBytes).map { "\($0); expected \(idRule)" }
    }

    /// What is wrong with a runtime's name as `helper.conf` lists it, or nil.
    public static func problem(runtime: String) -> String? {
        problem(runtime, bytes: runtimeBytes).map {
            "\($0); expected a runtime's name as in helper.conf: 1 to 64 of A-Z a-z 0-9 _ . + -"
        }
    }

    /// What is wrong with the path of something to remove, or nil. The path must be absolute and normalised, so that
    /// equal places have equal paths, and must not be `/` itself.
    public static func problem(path: String) -> String? {
        let rule = "; expected an absolute, normalised path without . and .."
        if path.isEmpty { return "is empty\(rule)" }
        if path.utf8.count > pathBytes { return "is longer than \(pathBytes) bytes\(rule)" }
        if hasControl(path) { return "has a control character\(rule)" }
        guard path.utf8.first == slash else { return "\(quoted(path)) is not absolute\(rule)" }
        if path == "/" { return "is the root directory; expected a place beneath it" }
        for component in path.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            if component.isEmpty { return "\(quoted(path)) has an empty component or a / at its end\(rule)" }
            if component.elementsEqual(".".utf8) || component.elementsEqual("..".utf8) {
                return "\(quoted(path)) has a component . or ..\(rule)"
            }
            if component.count > 255 { return "has a component longer than 255 bytes\(rule)" }
        }
        return nil
    }

    /// What is wrong with a name that is shown and reserved, or nil.
    public static func problem(name: String) -> String? {
        let rule = "; expected 1 to \(nameBytes) bytes without control characters"
        if name.isEmpty { return "is empty\(rule)" }
        if name.utf8.count > nameBytes { return "is longer than \(nameBytes) bytes\(rule)" }
        return hasControl(name) ? "has a control character\(rule)" : nil
    }

    /// C0, DEL and C1 characters: none belongs in a name, and terminals act on some of them.
    static func hasControl(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
    }

    /// At most 64 characters, in quotes, with everything but printable ASCII escaped: input that is repeated in an
    /// error must not control a terminal or flood a log.
    static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { $0.escaped(asASCII: true) }.joined()
        return "\"\(shown)\"" + (text.unicodeScalars.count > 64 ? "…" : "")
    }

    /// Whether it is an id as runtimes generate them: 64 lowercase hexadecimal digits.
    static func isWholeHexID(_ id: String) -> Bool {
        id.utf8.count == 64 && id.utf8.allSatisfy(isLowercaseHexDigit)
    }

    /// Whether it is an id that could be mistaken for the beginning of a 64-digit id. Digits of either case count.
    static func isShortHexID(_ id: String) -> Bool {
        1...63 ~= id.utf8.count && id.utf8.allSatisfy { isLowercaseHexDigit($0) || 0x41...0x46 ~= $0 }
    }

    static func isLowercaseHexDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte || 0x61...0x66 ~= byte }

    private static func problem(_ word: String, bytes: Int) -> String? {
        if word.isEmpty { return "is empty" }
        if word.utf8.count > bytes { return "is longer than \(bytes) bytes" }
        for (index, byte) in word.utf8.enumerated() {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: continue
            case 0x2b, 0x2d, 0x2e:
                if index == 0 { return "\(quoted(word)) begins with \(Character(Unicode.Scalar(byte)))" }
            default: return "\(quoted(word)) has a character that is not allowed"
            }
        }
        return nil
    }
}

private let slash = UInt8(ascii: "/")
