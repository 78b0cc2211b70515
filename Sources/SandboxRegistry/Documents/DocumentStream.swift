public import FoundationEssentials

/// Several registration documents in one text, as `podreap discover` prints them: one after the other, one on each
/// line, or as the elements of an array.
public struct DocumentStream: Sendable {
    /// The longest stream, in bytes: enough for some thousand pods.
    public static let maximumBytes = 64 << 20

    /// One document, or the error that was found in it.
    public struct Entry: Sendable {
        /// The document's position in the text, from 1.
        public let number: Int
        /// The sandbox's id if the document has a valid one, to tell an invalid document from the others.
        public let id: String?
        public let document: Result<RegistrationDocument, DocumentError>
    }

    /// At least one entry.
    public let entries: [Entry]

    /// Reads a stream. Throws if it is not JSON: the ends of its documents are then unknown, so none is returned.
    public init(json: Data, now: Date = Date()) throws(DocumentError) {
        guard json.count <= Self.maximumBytes else {
            throw DocumentError("", "the stream has \(json.count) bytes; expected at most \(Self.maximumBytes)")
        }
        let values: [(value: JSONValue, length: Int)]
        do {
            values = try JSONReader.readAll([UInt8](json))
        } catch {
            throw DocumentError(
                "", "the document is not JSON (line \(error.line), column \(error.column)): \(error.problem)")
        }
        var entries: [Entry] = []
        for (value, length) in values {
            if case .array(let elements) = value {
                // The length of an element's own text is not known, so the bound for one document applies to its
                // compact text.
                for element in elements { entries.append(Self.entry(entries.count + 1, element, nil, now)) }
            } else {
                entries.append(Self.entry(entries.count + 1, value, length, now))
            }
        }
        guard !entries.isEmpty else { throw DocumentError("", "there is no document; expected at least one") }
        self.entries = entries
    }

    private static func entry(_ number: Int, _ value: JSONValue, _ length: Int?, _ now: Date) -> Entry {
        let result: Result<RegistrationDocument, DocumentError>
        do throws(DocumentError) {
            let length = length ?? value.compact.utf8.count
            guard length <= RegistrationDocument.maximumBytes else {
                throw DocumentError(
                    "", "the document has \(length) bytes; expected at most \(RegistrationDocument.maximumBytes)")
            }
            result = .success(try RegistrationDocument(checking: value, now: now))
        } catch {
            result = .failure(error)
        }
        return Entry(number: number, id: id(value), document: result)
    }

    private static func id(_ value: JSONValue) -> String? {
        guard case .object(let members) = value,
            case .object(let sandbox) = members.first(where: { $0.key == "sandbox" })?.value,
            case .string(let id) = sandbox.first(where: { $0.key == "id" })?.value,
            RecordRules.problem(id: id) == nil
        else { return nil }
        return id
    }
}
