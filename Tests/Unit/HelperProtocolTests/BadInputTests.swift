import HelperProtocol
import TestNode
import Testing

/// Whatever bytes come, a decoder answers with a message or a reason; and what it takes has one encoding only.
@Suite struct BadInputTests {
    private static let messages =
        (RequestVectors.all + SecondVersionVectors.requests + ThirdVersionVectors.requests)
        .map { (bytes: $0.message.encoded(version: $0.version), isReply: false) }
        + (ReplyVectors.all + SecondVersionVectors.replies + ThirdVersionVectors.replies)
        .map { (bytes: $0.message.encoded(version: $0.version), isReply: true) }
    private static let bad = MalformedVectors.all.map(\.bytes)

    @Test func everyPrefixOfAMessageIsRefused() {
        for (bytes, isReply) in Self.messages {
            for count in 0..<bytes.count {
                let expected: Malformed = count < Limits.headerBytes ? .truncated : .badLength
                let reason = reason(Array(bytes[..<count]), isReply)
                if reason != expected { Issue.record("\(count) bytes of \(bytes): \(String(describing: reason))") }
            }
        }
    }

    @Test func everyBodyCutShortIsRefused() {
        for (bytes, isReply) in Self.messages {
            // Not every cut of the longest ones, which would take seconds.
            let cuts = stride(from: Limits.headerBytes, to: bytes.count, by: bytes.count > 2000 ? 61 : 1)
            for count in cuts where reason(relabelled(bytes[..<count]), isReply) == nil {
                Issue.record("\(count) bytes of \(bytes) are a message")
            }
        }
    }

    @Test func everyBodyWithAByteTooManyIsRefused() {
        for (bytes, isReply) in Self.messages {
            #expect(reason(relabelled(bytes + [0]), isReply) == .trailingBytes)
        }
    }

    @Test func everyChangedByteGivesAReasonOrAnotherMessage() {
        for bytes in Self.messages.map(\.bytes) + Self.bad where bytes.count < 1000 {
            for index in bytes.indices {
                for value in Set([0, 1, 2, 0x2e, 0x2f, 0x7f, 0x80, 0xff, bytes[index] ^ 1, bytes[index] ^ 0x80]) {
                    var changed = bytes
                    changed[index] = value
                    check(changed)
                }
            }
        }
    }

    @Test func randomBodiesGiveAReasonOrAMessage() {
        var random = Seeded(0x706f_6472_6561_7021)
        for _ in 0..<100_000 {
            let kind = UInt16.random(in: 0...9, using: &random) | (Bool.random(using: &random) ? 0x8000 : 0)
            let count = Int.random(in: 0...80, using: &random)
            // Small numbers are counts, flags and tags, so that deeper fields are reached.
            let body = (0..<count).map { _ in
                UInt8.random(in: 0...(Bool.random(using: &random) ? 3 : 255), using: &random)
            }
            let version = UInt16.random(in: 1...3, using: &random)
            let last = UInt32.random(in: 0...8, using: &random)
            check(RawPacket(version: version, kind: kind, last: last, body: body).bytes)
        }
    }

    /// Why the bytes are no request, or no reply; nil where they are one.
    private func reason(_ bytes: [UInt8], _ isReply: Bool) -> Malformed? {
        do throws(Malformed) {
            let version = Self.version(bytes)
            if isReply {
                _ = try Reply(decoding: bytes.span, version: version)
            } else {
                _ = try RequestPacket(decoding: bytes.span, version: version)
            }
            return nil
        } catch {
            return error
        }
    }

    /// The version that a packet is read in: its header's, where that is one.
    private static func version(_ bytes: [UInt8]) -> UInt16 {
        bytes.count > 5 && (2...3).contains(bytes[4]) && bytes[5] == 0 ? UInt16(bytes[4]) : 1
    }

    /// Decodes the bytes both ways. What is taken must encode to the same bytes again.
    private func check(_ bytes: [UInt8]) {
        // Hello is read whatever version its header has, and written with this one.
        let version = Self.version(bytes)
        let encoded: [UInt8]
        if let packet = try? RequestPacket(decoding: bytes.span, version: version) {
            encoded = packet.encoded(version: version)
        } else if let reply = try? Reply(decoding: bytes.span, version: version) {
            encoded = reply.encoded(version: version)
        } else {
            return
        }
        let isHello = bytes[6] == 1
        if encoded != bytes, !isHello || encoded[6...] != bytes[6...] {
            Issue.record("\(bytes) is read, and written as \(encoded)")
        }
    }

    /// The packet with the length of its body in the header.
    private func relabelled(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var out = Array(bytes)
        out.replaceSubrange(16..<20, with: RawPacket.little(UInt32(out.count - Limits.headerBytes)))
        return out
    }
}
