internal import FoundationEssentials
internal import SandboxRegistry
internal import Synchronization

/// How many digits of a runtime's id tables show: enough to tell thousands apart, and to name a sandbox in commands.
let shortIDLength = 13

/// An id as tables show it. An id that is not 64 hexadecimal digits is not shortened, because its beginning would not
/// stand for it.
func shortened(_ id: String, _ keepAll: Bool = false) -> String {
    keepAll || id.utf8.count != 64 || !id.allSatisfy(\.isHexDigit) ? id : String(id.prefix(shortIDLength))
}

extension Duration {
    /// In milliseconds with one decimal, or in seconds from 10 seconds on.
    var text: String {
        self < .seconds(10) ? "\(Self.decimal(inMilliseconds)) ms" : "\(Self.decimal(inSeconds)) s"
    }

    private static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}

/// The time since something in the largest whole unit: `8s`, `3m`, `2h`, `5d`.
func age(_ age: Duration) -> String {
    let seconds = Int(max(0, age.inSeconds))
    switch seconds {
    case ..<120: return "\(seconds)s"
    case ..<7200: return "\(seconds / 60)m"
    case ..<172_800: return "\(seconds / 3600)h"
    default: return "\(seconds / 86_400)d"
    }
}

func age(since moment: Date) -> String { age(Duration(recordedSeconds: -moment.timeIntervalSinceNow)) }

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

/// Shortens the long ids in a text as tables show them, so that lines with paths stay readable. JSON has whole ids.
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
