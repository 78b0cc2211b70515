import HelperProtocol
import Testing

/// Each bound from both sides.
@Suite struct LimitTests {
    @Test(arguments: ["", ".", "..", "a/b", "/", "a\0b", "\0", String(repeating: "n", count: 256)])
    func componentsThatAreNoFileNames(_ text: String) {
        #expect(throws: Malformed.badComponent) { try Place(root: 0, components: [Array(text.utf8)]) }
    }

    @Test(arguments: ["...", " ", "-rf", ".hidden", "a\nb", "\u{fffd}", String(repeating: "n", count: 255)])
    func componentsThatAreFileNames(_ text: String) throws {
        let place = try Place(root: 0, components: [Array("above".utf8), Array(text.utf8)])
        #expect(place.name.array == Array(text.utf8))
        #expect(place.parent.array == Array("above".utf8))
        #expect(place.depth == 2)
    }

    @Test func placesHaveAtMostSixteenComponents() throws {
        let longest = [[UInt8]](repeating: [UInt8](repeating: 0x6e, count: 255), count: 16)
        let place = try Place(root: 0, components: longest)
        #expect(place.depth == 16)
        #expect(place.parent.count == 15 * 255 + 14)
        #expect(throws: Malformed.badPlace) { try Place(root: 0, components: longest + [[0x61]]) }
    }

    @Test func aPlaceTooLongForAPacketIsRefusedByItsReader() throws {
        let place = try Place(root: 0, components: .init(repeating: .init(repeating: 0x6e, count: 255), count: 16))
        let packet = RequestPacket(id: 1, deadline: 1, request: .unmount(place, .look)).encoded()
        #expect(packet.count > Limits.requestBytes)
        #expect(throws: Malformed.tooLong) { try RequestPacket(decoding: packet.span) }
    }

    @Test(arguments: [
        "", "-a", ".a", "+a", "..", "a/b", "a b", "a\0", "é", "a:b", "a\n", String(repeating: "a", count: 129),
    ])
    func containerIDsThatAreNone(_ text: String) {
        #expect(throws: Malformed.badContainerID) { try ContainerID(Array(text.utf8)) }
    }

    @Test(arguments: ["a", "_", "0", "a-b", "a..b", "A.B+C_d-9", String(repeating: "a", count: 128)])
    func containerIDs(_ text: String) throws {
        #expect(try ContainerID(Array(text.utf8)).bytes.array == Array(text.utf8))
    }

    @Test func aContainerIDOfTheWireIsCheckedToo() {
        expect(.tooLong, kind: 5, [0, 129] + [UInt8](repeating: 0x61, count: 129))
        expect(.badContainerID, kind: 5, [0, 0])
    }

    @Test(arguments: [UInt8](0...255))
    func signals(_ signal: UInt8) {
        expect((1...64).contains(signal) ? nil : .badSignal, kind: 6, [0, 1, 0x61, 1, signal, 0])
    }

    @Test(arguments: [
        (UInt32(0), UInt8(0), UInt8(1), false), (1, 0, 1, true), (1_000_000, 0, 1, true), (1_000_001, 0, 1, false),
        (1, 0, 0, false), (1, 1, 1, false), (1, 15, 16, true), (1, 16, 16, false), (1, 0, 17, false),
    ])
    func slices(_ entries: UInt32, _ index: UInt8, _ count: UInt8, _ isValid: Bool) {
        let body: [UInt8] = [0, 1, 1, 0x61, 1] + RawPacket.little(entries) + [index, count]
        expect(isValid ? nil : .badSlice, kind: 4, body)
    }

    @Test(arguments: [(UInt32(0), false), (1, true), (600_000, true), (600_001, false), (.max, false)])
    func deadlines(_ milliseconds: UInt32, _ isValid: Bool) {
        let packet = RawPacket(kind: 8, last: milliseconds, body: [0]).bytes
        #expect(reason(packet) == (isValid ? nil : .badDeadline))
    }

    @Test(arguments: [(UInt16(0), UInt16(0), true), (1, 1, true), (0, .max, true), (2, 1, false), (1, 0, false)])
    func versionRanges(_ minimum: UInt16, _ maximum: UInt16, _ isValid: Bool) {
        let body = RawPacket.little(minimum) + RawPacket.little(maximum)
        expect(isValid ? nil : .badVersion, kind: 1, body)
    }

    @Test func helloIsReadWhateverVersionItsHeaderHas() {
        #expect(reason(RawPacket(version: 0, kind: 1, body: [0, 0, 9, 0]).bytes) == nil)
        #expect(reason(RawPacket(version: 9, kind: 1, body: [8, 0, 9, 0]).bytes) == nil)
        #expect(reason(RawPacket(version: 9, kind: 2, body: [0, 1, 1, 0x61, 0]).bytes) == .badVersion)
    }

    @Test func detailsAndOutputsKeepTheirEnd() throws {
        let long = (0..<5000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let refused = Reply(kind: .removeDirectory, requestID: 1, outcome: .refused(.mountBeneath, detail: long))
        let read = try Reply(decoding: refused.encoded.span)
        #expect(read.outcome == .refused(.mountBeneath, detail: Array(long.suffix(1024))))
        let facts = RuntimeFacts(status: 0, stateDirectory: nil, errorOutput: long, output: .inline(long + long))
        let reply = Reply(kind: .runtimeList, requestID: 1, outcome: .done, facts: .runtime(facts))
        #expect(
            try Reply(decoding: reply.encoded.span).facts
                == .runtime(
                    RuntimeFacts(
                        status: 0, stateDirectory: nil, errorOutput: Array(long.suffix(2048)),
                        output: .inline(Array((long + long).suffix(8192))))))
        #expect(reply.encoded.count <= Limits.replyBytes)
    }

    @Test func aFullPageOfNamesFitsAReply() throws {
        let children = (0..<(DirectoryFacts.pageBytes / 3)).map { _ in DirectoryFacts.Child(type: 8, name: [0x61]) }
        let facts = DirectoryFacts(identity: RequestVectors.node, children: children, next: 1)
        let reply = Reply(kind: .removeDirectory, requestID: 1, outcome: .done, facts: .directory(facts))
        #expect(reply.encoded.count <= Limits.replyBytes)
        #expect(try Reply(decoding: reply.encoded.span) == reply)
    }

    @Test(arguments: [[0x2e, 0x2e], [], [0x61, 0x2f], [0]] as [[UInt8]])
    func aChildThatIsNoFileNameIsRefused(_ name: [UInt8]) {
        let facts = DirectoryFacts(
            identity: RequestVectors.node, children: [DirectoryFacts.Child(type: 4, name: name)], next: 0)
        let reply = Reply(kind: .removeDirectory, requestID: 1, outcome: .done, facts: .directory(facts))
        #expect(throws: Malformed.badFacts) { try Reply(decoding: reply.encoded.span) }
    }

    private func expect(_ expected: Malformed?, kind: UInt16, _ body: [UInt8]) {
        #expect(reason(RawPacket(kind: kind, body: body).bytes) == expected)
    }

    private func reason(_ bytes: [UInt8]) -> Malformed? {
        do throws(Malformed) {
            _ = try RequestPacket(decoding: bytes.span)
            return nil
        } catch {
            return error
        }
    }
}
