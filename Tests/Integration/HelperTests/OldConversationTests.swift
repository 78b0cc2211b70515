import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// A conversation that a client of 0.1.0 had with a helper of 0.1.0, packet for packet: today's helper answers the same bytes.
    @Suite struct OldConversation {
        private static let policy = """
            caller = \(TestNode.caller)
            sandbox-root = /mnt/node/sandboxes
            netns-root = /mnt/node/netns names sample-* uuid
            cgroup-root = /mnt/node/cgroups depth 1-2
            runtime = runc /usr/sbin/runc /mnt/node/runc
            runtime = crun /usr/bin/crun /mnt/node/crun hooks

            """

        /// Hello; every request, about what is not there; refusals; and last an intent that version 2 has and version 1 has not.
        private static let recorded: [(request: String, reply: String)] = [
            (
                "50445250010001000100000000000000040000003075000001000100",
                "504452500100018001000000000000008c0000000000000001010005302e312e30000000000000000003010101132f6d6e742f6e6f64652f73616e64626f786573000301010f2f6d6e742f6e6f64652f6e65746e730d73616d706c652d2a2075756964060102112f6d6e742f6e6f64652f6367726f75707300020472756e630e2f6d6e742f6e6f64652f72756e6300046372756e0e2f6d6e742f6e6f64652f6372756e01"
            ),
            (
                "504452500100020002000000000000000a000000307500000001066e6f626f647900",
                "50445250010002800200000000000000010000000100000000"
            ),
            (
                "504452500100020003000000000000000a000000307500000001066e6f626f647901",
                "50445250010002800300000000000000010000000100000000"
            ),
            (
                "5044525001000200040000000000000013000000307500000001066e6f626f6479022a0000000000000000",
                "50445250010002800400000000000000010000000100000000"
            ),
            (
                "504452500100030005000000000000000c0000003075000001010873616d706c652d7800",
                "50445250010003800500000000000000010000000100000000"
            ),
            (
                "5044525001000400060000000000000012000000307500000001066e6f626f6479000000000000000000",
                "50445250010004800600000000000000010000000100000000"
            ),
            (
                "5044525001000400070000000000000010000000307500000001066e6f626f6479010a0000000001",
                "50445250010004800700000000000000010000000100000000"
            ),
            (
                "50445250010005000800000000000000080000003075000000066e6f626f6479",
                "50445250010005800800000000000000010000000100000000"
            ),
            (
                "504452500100060009000000000000000b0000003075000000066e6f626f6479000900",
                "50445250010006800900000000000000010000000100000000"
            ),
            (
                "50445250010006000a000000000000000b0000003075000000066e6f626f6479010901",
                "50445250010006800a00000000000000010000000100000000"
            ),
            (
                "50445250010007000b00000000000000090000003075000000066e6f626f647900",
                "50445250010007800b00000000000000010000000100000000"
            ),
            (
                "50445250010007000c00000000000000090000003075000001066e6f626f647901",
                "50445250010007800c00000000000000010000000100000000"
            ),
            (
                "50445250010008000d00000000000000010000003075000009",
                "50445250010008800d0000000000000005000000030000000c00000000"
            ),
            (
                "50445250010002000e0000000000000005000000307500000201017801",
                "50445250010002800e0000000000000005000000030000000200000000"
            ),
            (
                "50445250010004000f000000000000000d00000030750000000201610162010a0000000001",
                "50445250010004800f0000000000000005000000030000000300000000"
            ),
            (
                "50445250010003001000000000000000090000003075000001010561646d696e01",
                "5044525001000380100000000000000005000000030000000400000000"
            ),
            (
                "504452500100020011000000000000000e000000307500000001066e6f626f6479030a000000",
                "5044525001000180000000000000000003000000040000000b0000"
            ),
        ]

        @Test func goesOnAsItDid() throws {
            let helper = try TestHelper(ungreeted: TestHelper.start, policy: Self.policy)
            for (request, expected) in Self.recorded {
                try helper.send(bytes(request))
                #expect(try helper.receiveBytes() == released(bytes(expected)), "\(request)")
            }
            #expect(try helper.isClosed())
        }

        private func bytes(_ digits: String) -> [UInt8] {
            stride(from: 0, to: digits.count, by: 2).map { index in
                let start = digits.index(digits.startIndex, offsetBy: index)
                return UInt8(digits[start...].prefix(2), radix: 16)!
            }
        }

        /// What was recorded, but for the helper's release in Welcome.
        private func released(_ packet: [UInt8]) -> [UInt8] {
            let old = [5] + Array("0.1.0".utf8)
            guard packet.count > 32, Array(packet[26..<32]) == old else { return packet }
            let text = Array("\(Release.version)".utf8)
            var changed = packet
            changed.replaceSubrange(26..<32, with: [UInt8(text.count)] + text)
            let length = UInt32(changed.count - Limits.headerBytes)
            for index in 0..<4 { changed[16 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
            return changed
        }
    }
}
