import HelperProtocol
import Testing

/// The bytes of each version of the protocol, for ever.
@Suite struct VectorTests {
    @Test(arguments: RequestVectors.all + SecondVersionVectors.requests + ThirdVersionVectors.requests)
    func request(_ vector: Vector<RequestPacket>) throws {
        let version = vector.version
        let bytes = try committed(vector.name, vector.message.encoded(version: version))
        #expect(try RequestPacket(decoding: bytes.span, version: version) == vector.message)
        #expect(vector.message.encoded(version: version) == bytes)
        #expect(bytes.count <= Limits.requestBytes && vector.message.request.version <= version)
        #expect(throws: Malformed.unknownKind) { try Reply(decoding: bytes.span, version: version) }
    }

    @Test(arguments: ReplyVectors.all + SecondVersionVectors.replies + ThirdVersionVectors.replies)
    func reply(_ vector: Vector<Reply>) throws {
        let version = vector.version
        let bytes = try committed(vector.name, vector.message.encoded(version: version))
        #expect(try Reply(decoding: bytes.span, version: version) == vector.message)
        #expect(vector.message.encoded(version: version) == bytes)
        #expect(bytes.count <= Limits.replyBytes)
        #expect(throws: (any Error).self) { try RequestPacket(decoding: bytes.span, version: version) }
    }

    /// Whoever speaks the first version only never meets what is new in the second, and the other way round.
    @Test func versionsAreToldApart() throws {
        for vector in SecondVersionVectors.requests where vector.version == 2 {
            var bytes = try VectorFiles.read(vector.name)
            #expect(throws: Malformed.badVersion) { try RequestPacket(decoding: bytes.span, version: 1) }
            bytes[4] = 1
            if vector.message.request.version == 1 {
                #expect(try RequestPacket(decoding: bytes.span, version: 1) == vector.message)
            } else {
                #expect(throws: (any Error).self) { try RequestPacket(decoding: bytes.span, version: 1) }
            }
        }
        for vector in RequestVectors.all where vector.message.request.kind != .hello {
            let bytes = try VectorFiles.read(vector.name)
            #expect(throws: Malformed.badVersion) { try RequestPacket(decoding: bytes.span, version: 2) }
        }
        for vector in SecondVersionVectors.replies where vector.message.kind != .hello {
            var bytes = try VectorFiles.read(vector.name)
            #expect(throws: Malformed.badVersion) { try Reply(decoding: bytes.span, version: 1) }
            bytes[4] = 1
            switch vector.message.facts {
            case .mountPoint, .container:
                #expect(throws: Malformed.badFacts) { try Reply(decoding: bytes.span, version: 1) }
            default: #expect(try Reply(decoding: bytes.span, version: 1) == vector.message)
            }
        }
    }

    /// The new kind of root is an error for whoever speaks an older version.
    @Test(arguments: [1, 2] as [UInt16]) func userNamespacesAreOfTheThirdVersion(_ version: UInt16) throws {
        var welcome = ThirdVersionVectors.welcome
        welcome.version = version
        let reply = Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(welcome))
        let bytes = reply.encoded(version: version)
        #expect(throws: Malformed.badFacts) { try Reply(decoding: bytes.span, version: version) }
    }

    @Test(arguments: MalformedVectors.all)
    func malformed(_ vector: BadVector) throws {
        let bytes = try committed(vector.name, vector.bytes)
        #expect(vector.bytes == bytes)
        switch vector.fault {
        case .request:
            #expect(throws: vector.reason) { try RequestPacket(decoding: bytes.span, version: vector.version) }
        case .reply: #expect(throws: vector.reason) { try Reply(decoding: bytes.span) }
        case .conversation: #expect(try RequestPacket(decoding: bytes.span).encoded() == bytes)
        }
    }

    @Test func everyFileIsListedAndEveryVectorIsAFile() throws {
        let names =
            (RequestVectors.all + SecondVersionVectors.requests + ThirdVersionVectors.requests).map(\.name)
            + (ReplyVectors.all + SecondVersionVectors.replies + ThirdVersionVectors.replies).map(\.name)
            + MalformedVectors.all.map(\.name)
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
