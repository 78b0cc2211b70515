/// Measurements of one thing, in milliseconds.
struct Samples {
    private let sorted: [Double]

    init(_ values: [Double]) { sorted = values.sorted() }

    var least: Double { sorted.first ?? .nan }
    var most: Double { sorted.last ?? .nan }
    var median: Double {
        if sorted.isEmpty { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// What is printed.
struct Table {
    private var rows = [["pod", "removed by", "median ms", "min", "max", "ratio to the floor"]]

    mutating func add(_ pod: String, _ contestant: String, _ samples: Samples, against floor: Samples) {
        rows.append([
            pod, contestant, tenths(samples.median), tenths(samples.least), tenths(samples.most),
            hundredths(samples.median / floor.median),
        ])
    }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                return column < 2 ? cell + blanks : blanks + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private func tenths(_ value: Double) -> String { decimal(value, digits: 1) }
    private func hundredths(_ value: Double) -> String { decimal(value, digits: 2) }

    private func decimal(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "-" }
        let scale = digits == 1 ? 10 : 100
        let whole = Int((value * Double(scale)).rounded())
        let rest = String(whole % scale)
        return "\(whole / scale)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
