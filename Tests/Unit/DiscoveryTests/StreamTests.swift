import Foundation
import SandboxRegistry
import Testing

/// Several documents in one text.
struct StreamTests {
    private func document(_ id: String) -> String {
        #"{"version":1,"sandbox":{"id":"\#(id)","metadata":{"name":"n","namespace":"d","uid":"u","attempt":0},"#
            + #""runtime":"runc","directory":"/run/pods/\#(id)"},"containers":[]}"#
    }

    private func read(_ text: String) throws -> [DocumentStream.Entry] {
        try DocumentStream(json: Data(text.utf8)).entries
    }

    private func ids(_ text: String) throws -> [String] { try read(text).map { try $0.document.get().sandbox.id } }

    @Test func allForms() throws {
        let (a, b, c) = (document("a"), document("b"), document("c"))
        #expect(try ids(a) == ["a"])
        #expect(try ids(a + b + c) == ["a", "b", "c"])
        #expect(try ids("\(a)\n\(b)\n\n  \(c)\n") == ["a", "b", "c"])
        #expect(try ids("[\(a), \(b)]") == ["a", "b"])
        #expect(try ids("[\(a)] \(b) [\(c)]") == ["a", "b", "c"])
    }

    @Test func writtenFormsReadBack() throws {
        let one = try RegistrationDocument(json: Data(document("a").utf8))
        #expect(try ids(String(decoding: one.json() + one.json(), as: UTF8.self)) == ["a", "a"])
        #expect(String(decoding: one.line(), as: UTF8.self).split(separator: "\n").count == 1)
        #expect(try read(String(decoding: one.line(), as: UTF8.self))[0].document.get() == one)
    }

    @Test func aWrongDocumentLeavesTheOthers() throws {
        let wrong = document("b").replacingOccurrences(of: #""runtime":"runc","#, with: "")
        let entries = try read(document("a") + wrong + "7" + document("c"))
        #expect(entries.map(\.number) == [1, 2, 3, 4])
        #expect(entries.map(\.id) == ["a", "b", nil, "c"])
        #expect(throws: DocumentError.self) { try entries[1].document.get() }
        #expect(throws: DocumentError.self) { try entries[2].document.get() }
        #expect(try entries[3].document.get().sandbox.id == "c")
        if case .failure(let error) = entries[1].document { #expect(error.field == "sandbox.runtime") }
    }

    @Test(arguments: ["", "  \n", "[]", "{", "\u{1}", "[,]", "nul"]) func noStream(_ text: String) {
        #expect(throws: DocumentError.self) { try read(text) }
        #expect(throws: DocumentError.self) { try read(document("a") + "\n" + (text.isEmpty ? "," : text + "x")) }
    }

    @Test func boundsHoldForEachDocument() throws {
        let long = document("a").replacingOccurrences(
            of: #""containers":[]"#,
            with: #""containers":[\#(String(repeating: " ", count: RegistrationDocument.maximumBytes))]"#)
        let entries = try read(long + document("b"))
        #expect(throws: DocumentError.self) { try entries[0].document.get() }
        #expect(try entries[1].document.get().sandbox.id == "b")
    }
}
