import FoundationEssentials

/// What was measured, for `report.py`: nothing is worked out here.
struct Results: Encodable {
    struct Measurement: Encodable {
        /// Which table it belongs to, and there which row and which column.
        var part, row, who, unit: String
        var samples: [Double]
    }

    private(set) var measurements: [Measurement] = []

    mutating func add(_ part: String, _ row: String, _ who: String, _ unit: String, _ sample: Double) {
        let index = measurements.firstIndex { $0.part == part && $0.row == row && $0.who == who }
        if let index {
            measurements[index].samples.append(sample)
        } else {
            measurements.append(Measurement(part: part, row: row, who: who, unit: unit, samples: [sample]))
        }
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: URL(filePath: path))
    }
}

struct Incomplete: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
