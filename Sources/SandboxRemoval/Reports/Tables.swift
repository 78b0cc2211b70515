// Ids and columns as the programs show them.

/// How many digits of a runtime's id tables show: enough to tell thousands apart, and to name a sandbox in commands.
package let shortIDLength = 13

/// An id as tables show it. An id that is not 64 hexadecimal digits is not shortened, because its beginning would not
/// stand for it.
package func shortened(_ id: String, _ keepAll: Bool = false) -> String {
    keepAll || id.utf8.count != 64 || !id.allSatisfy(\.isHexDigit) ? id : String(id.prefix(shortIDLength))
}

/// Columns as wide as their widest cell, two blanks apart.
package func table(_ rows: [[String]]) -> String {
    guard let columns = rows.map(\.count).max() else { return "" }
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
        var line = ""
        for (column, cell) in row.enumerated() {
            line += cell
            if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
        }
        return line + "\n"
    }.joined()
}

/// Shortens the long ids in a text as tables show them, so that lines with paths stay readable. JSON has whole ids.
package func abbreviated(_ text: String) -> String {
    var out = ""
    var id = ""
    func flush() {
        out += id.count >= 32 ? shortened(id) + "…" : id
        id = ""
    }
    for character in text {
        if character.isHexDigit, character.isASCII {
            id.append(character)
        } else {
            flush()
            out.append(character)
        }
    }
    flush()
    return out
}
