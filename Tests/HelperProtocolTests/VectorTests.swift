import HelperProtocol
import Testing

/// The bytes of protocol v1, for ever.
@Suite struct VectorTests {
    @Test(arguments: RequestVectors.all)
    func request(_ vector: Vector<RequestPacket>) throws {
        let bytes = try committed(vector.name, vector.message.encoded())
        #expect(try RequestPacket(decoding: bytes.span) == vector.message)
        #expect(vector.message.encoded() == bytes)
        #expect(bytes.count <= Limits.requestBytes)
        #expect(throws: Malformed.unknownKind) { try Reply(decoding: bytes.span) }
    }

    @Test(arguments: ReplyVectors.all)
    func reply(_ vector: Vector<Reply>) throws {
        let bytes = try committed(vector.name, vector.message.encoded)
        #expect(try Reply(decoding: bytes.span) == vector.message)
        #expect(vector.message.encoded == bytes)
        #expect(bytes.count <= Limits.replyBytes)
        #expect(throws: (any Error).self) { try RequestPacket(decoding: bytes.span) }
    }

    @Test(arguments: MalformedVectors.all)
    func malformed(_ vector: BadVector) throws {
        let bytes = try committed(vector.name, vector.bytes)
        #expect(vector.bytes == bytes)
        switch vector.fault {
        case .request: #expect(throws: vector.reason) { try RequestPacket(decoding: bytes.span) }
        case .reply: #expect(throws: vector.reason) { try Reply(decoding: bytes.span) }
        case .conversation: #expect(try RequestPacket(decoding: bytes.span).encoded() == bytes)
        }
    }

    @Test func everyFileIsListedAndEveryVectorIsAFile() throws {
        let names = RequestVectors.all.map(\.name) + ReplyVectors.all.map(\.name) + MalformedVectors.all.map(\.name)
        #expect(Set(names).count == names.count)
        guard !VectorFiles.areWritten else { return }
        #expect(try VectorFiles.names() == Set(names))
    }

    @Test func everyReasonHasAPacket() {
        #expect(Set(MalformedVectors.all.map(\.reason)) == Set(Malformed.allCases))
    }

    @Test func everyKindOfRequestHasAVector() {
        #expect(Set(RequestVectors.all.map(\.message.request.kind)) == Set(Kind.allCases))
    }

    /// The file's bytes; in the writing mode, what they become.
    private func committed(_ name: String, _ encoded: [UInt8]) throws -> [UInt8] {
        if VectorFiles.areWritten { try VectorFiles.write(encoded, name) }
        return try VectorFiles.read(name)
    }
}
