internal import TOMLKit

/// A settings file that can tell on which line each key is.
struct SettingsFile {
    let path: String
    private let lines: [Substring]

    init(text: String, path: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    func table(_ table: TOMLTable, _ name: String) throws(SettingsError) -> SettingsTable {
        SettingsTable(file: self, name: name, table: table)
    }

    /// The line of a key, from 1. The parser does not report it, so this searches the text: it expects a table to have
    /// a line of its own, and a key to begin a line.
    func line(of key: String, in table: String) -> Int? {
        var current = ""
        for (index, line) in lines.enumerated() {
            let text = line.trimmingPrefix { $0.isWhitespace }
            if text.hasPrefix("[") {
                current = String(text.dropFirst().prefix { $0 != "]" }).filter { !$0.isWhitespace && $0 != "\"" }
                if table.isEmpty, current == key { return index + 1 }
            } else if current == table, Self.key(of: text) == key {
                return index + 1
            } else if current.isEmpty, !table.isEmpty, Self.key(of: text) == "\(table).\(key)" {
                return index + 1
            }
        }
        // A key of an inline table is on that table's line.
        return table.isEmpty ? nil : line(of: table, in: "")
    }

    private static func key(of line: Substring) -> String? {
        guard let equals = line.firstIndex(of: "="), !line.hasPrefix("#") else { return nil }
        return line[..<equals].filter { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
    }
}

/// The keys of one table. `end` rejects keys that were never asked for.
struct SettingsTable {
    let file: SettingsFile
    let name: String
    let table: TOMLTable
    private var asked: [String] = []

    init(file: SettingsFile, name: String, table: TOMLTable) {
        self.file = file
        self.name = name
        self.table = table
    }

    private mutating func value(_ key: String) -> (any TOMLValueConvertible)? {
        asked.append(key)
        guard table.contains(key: key) else { return nil }
        let value: (any TOMLValueConvertible)? = table[key]
        return value
    }

    private func wrong(_ key: String, _ expected: String) -> SettingsError {
        let full = name.isEmpty ? key : "\(name).\(key)"
        return SettingsError(file.path, file.line(of: key, in: name), "\(full): expected \(expected)")
    }

    mutating func string(
        _ key: String, _ rule: (String) -> String?, _ take: (String) -> Void
    ) throws(SettingsError) {
        guard let value = value(key) else { return }
        guard let string = value.string else { throw wrong(key, "a string") }
        if let expected = rule(string) { throw wrong(key, expected) }
        take(string)
    }

    mutating func integer(
        _ key: String, _ range: ClosedRange<Int>, _ take: (Int) -> Void
    ) throws(SettingsError) {
        guard let value = value(key) else { return }
        guard let number = value.int, range.contains(number) else {
            throw wrong(key, "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        take(number)
    }

    mutating func seconds(
        _ key: String, _ range: ClosedRange<Double>, _ take: (Duration) -> Void
    ) throws(SettingsError) {
        guard let value = value(key) else { return }
        guard let number = value.double ?? value.int.map(Double.init), range.contains(number) else {
            throw wrong(key, "seconds, from \(range.lowerBound) to \(range.upperBound)")
        }
        take(.seconds(number))
    }

    mutating func strings(
        _ key: String, _ rule: ([String]) -> String?, _ take: ([String]) -> Void
    ) throws(SettingsError) {
        guard let value = value(key) else { return }
        guard let array = value.array else { throw wrong(key, "an array of strings") }
        var strings: [String] = []
        for element in array {
            guard let string = element.string else { throw wrong(key, "an array of strings") }
            strings.append(string)
        }
        if let expected = rule(strings) { throw wrong(key, expected) }
        take(strings)
    }

    mutating func table(_ key: String) throws(SettingsError) -> SettingsTable? {
        guard let value = value(key) else { return nil }
        guard let table = value.table else { throw wrong(key, "a table") }
        return try file.table(table, key)
    }

    /// Throws if the table has a key that was never asked for.
    func end() throws(SettingsError) {
        let unknown = table.keys.filter { !asked.contains($0) }
        let first = unknown.map { (line: file.line(of: $0, in: name), key: $0) }
            .min { ($0.line ?? .max, $0.key) < ($1.line ?? .max, $1.key) }
        guard let first else { return }
        let full = name.isEmpty ? first.key : "\(name).\(first.key)"
        throw SettingsError(
            file.path, first.line, "unknown key \(full); expected one of \(asked.joined(separator: ", "))")
    }
}
