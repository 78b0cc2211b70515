internal import Synchronization

/// The digits of a runtime's id that tables show: enough to tell thousands apart, and to act on.
let shortIDLength = 13

/// A runtime's id as tables show it. Of other ids no beginning stands for the whole, so nothing is cut off.
func shortened(_ id: String, _ keepAll: Bool = false) -> String {
    keepAll || id.utf8.count != 64 || !id.allSatisfy(\.isHexDigit) ? id : String(id.prefix(shortIDLength))
}

/// Milliseconds with one decimal, or seconds where there are many.
enum Milliseconds {
    static func text(_ milliseconds: Double) -> String {
        milliseconds < 10_000 ? "\(decimal(milliseconds)) ms" : "\(decimal(milliseconds / 1000)) s"
    }

    private static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}

/// The time since something in the largest whole unit: `8s`, `3m`, `2h`, `5d`.
func age(seconds: Double) -> String {
    let seconds = Int(max(0, seconds))
    switch seconds {
    case ..<120: return "\(seconds)s"
    case ..<7200: return "\(seconds / 60)m"
    case ..<172_800: return "\(seconds / 3600)h"
    default: return "\(seconds / 86_400)d"
    }
}

/// Columns as wide as their widest cell, two blanks apart.
func table(_ rows: [[String]]) -> String {
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

/// A text with long ids in it shortened as tables show them: lines of paths stay readable. JSON has them whole.
func abbreviated(_ text: String) -> String {
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
