internal import Foundation

/// Writes the helper's filters anew: `make filters`.
@main struct Filters {
    static func main() throws {
        try FilterSource.text().write(toFile: FilterSource.path, atomically: true, encoding: .utf8)
    }
}
