import Foundation
import TestNode
import Testing

/// The lines of `thresholds`.
enum Thresholds {
    private static let most = Result {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "thresholds")
        var most: [String: Double] = [:]
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = Double(words[1]) else {
                throw ProgramFailure(description: "thresholds: \(line)")
            }
            most[String(words[0])] = value
        }
        return most
    }

    /// Fails the test where a count is above its line, or has none.
    static func check(_ count: Double, _ name: String, _ location: SourceLocation = #_sourceLocation) throws {
        let most = try #require(try most.get()[name], "thresholds has no line \(name)", sourceLocation: location)
        #expect(count <= most, "\(name) is \(count), and may be \(most)", sourceLocation: location)
    }
}
