internal import Logging

/// Writes each event as one line to standard error: the level as the journal reads it (sd-daemon(3)), the message, and
/// `key=value` fields. A value that is not a plain word is quoted.
struct JournalLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let fields = all.sorted { $0.key < $1.key }.filter { "\($0.value)" != "" }
            .map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        StandardError.write("<\(Self.priority(event.level))>\(Self.escaped("\(event.message)"))\(fields)\n")
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
        }
        if isPlain { return text }
        return "\"\(escaped(text).split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\""))\""
    }

    /// Escapes control characters, so that a name from outside can neither begin a new line nor control a terminal.
    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) ? scalar.escaped(asASCII: true) : String(scalar)
        }.joined()
    }
}
