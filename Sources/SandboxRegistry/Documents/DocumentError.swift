/// What is wrong with a registration document, and where.
public struct DocumentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The field's path, such as `containers[1].metadata.name`; empty if the text as a whole is wrong.
    public let field: String
    /// What is wrong with the field, and what was expected.
    public let problem: String

    init(_ field: String, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    public var description: String { field.isEmpty ? problem : "\(field): \(problem)" }
}
