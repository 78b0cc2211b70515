import HelperProtocol
import Testing

@testable import HelperOperations

@Suite struct RuntimeCommandTests {
    private static let id = try! ContainerID(Array("c0ffee".utf8))

    private static let commands = [
        RuntimeCommand(.state, id: id, milliseconds: 1),
        RuntimeCommand(.delete, id: id, milliseconds: 600_000),
        RuntimeCommand(.list, id: nil, milliseconds: 5000),
        RuntimeCommand(.kill(signal: 9, all: true), id: id, milliseconds: 5000),
        RuntimeCommand(.kill(signal: 64, all: false), id: id, milliseconds: 5000),
        RuntimeCommand(.signalCgroup(signal: 9, isExclusive: true, continues: false), id: nil, milliseconds: 5000),
        RuntimeCommand(.signalCgroup(signal: 15, isExclusive: false, continues: true), id: nil, milliseconds: 1),
        RuntimeCommand(
            .signalProcesses(signal: 9), id: nil, processes: [ProcessIdentity(pid: 1, startTime: .max)],
            milliseconds: 1),
        RuntimeCommand(
            .signalProcesses(signal: 64), id: nil,
            processes: (0..<10).map { ProcessIdentity(pid: 0x7fff_ffff - $0, startTime: UInt64($0)) },
            milliseconds: 600_000),
    ]

    @Test func everyCommandSurvivesTheWire() throws {
        for command in Self.commands {
            var packet: [UInt8] = []
            command.encode(into: &packet)
            #expect(packet.count == RuntimeCommand.bytes)
            #expect(try RuntimeCommand(decoding: packet) == command)
        }
    }

    @Test func theLauncherChecksEverythingAgain() throws {
        var packet: [UInt8] = []
        Self.commands[3].encode(into: &packet)
        func changed(_ index: Int, _ byte: UInt8) -> [UInt8] {
            var copy = packet
            copy[index] = byte
            return copy
        }
        #expect(throws: Malformed.badLength) { try RuntimeCommand(decoding: packet + [0]) }
        #expect(throws: Malformed.badLength) { try RuntimeCommand(decoding: []) }
        #expect(throws: Malformed.unknownKind) { try RuntimeCommand(decoding: changed(0, 9)) }
        #expect(throws: Malformed.unknownKind) { try RuntimeCommand(decoding: changed(1, 65)) }
        #expect(throws: Malformed.unknownKind) { try RuntimeCommand(decoding: changed(2, 2)) }
        #expect(throws: Malformed.badDeadline) { try RuntimeCommand(decoding: changed(6, 255)) }
        #expect(throws: Malformed.badContainerID) { try RuntimeCommand(decoding: changed(7, 0x2d)) }
        #expect(throws: Malformed.badContainerID) { try RuntimeCommand(decoding: changed(8, 0x2f)) }
        let last = RuntimeCommand.bytes - 1
        #expect(throws: Malformed.badContainerID) { try RuntimeCommand(decoding: changed(last, 0)) }
        #expect(throws: Malformed.badContainerID) { try RuntimeCommand(decoding: changed(last, 129)) }
    }

    @Test func theLauncherChecksProcessesAgain() throws {
        var packet: [UInt8] = []
        Self.commands[7].encode(into: &packet)
        let last = RuntimeCommand.bytes - 1
        for length in [0, 11, 13, 121, 128] as [UInt8] {
            packet[last] = length
            #expect(throws: Malformed.badProcesses, "\(length)") { try RuntimeCommand(decoding: packet) }
        }
        packet[last] = 132
        #expect(throws: Malformed.badContainerID) { try RuntimeCommand(decoding: packet) }
        packet[last] = 24
        #expect(throws: Malformed.badProcesses, "pid 0") { try RuntimeCommand(decoding: packet) }
        packet[last] = 12
        packet[10] = 0x80
        #expect(throws: Malformed.badProcesses, "above 2³¹ - 1") { try RuntimeCommand(decoding: packet) }
    }

    @Test func theLaunchersAnswerSurvivesTheWire() throws {
        for end in [
            RuntimeEnd(.ended, status: 255), RuntimeEnd(.timedOut, status: -9), RuntimeEnd(.notStarted, status: 2),
        ] {
            #expect(try RuntimeEnd(decoding: end.encoded, count: RuntimeEnd.bytes) == end)
        }
        #expect(throws: Outcome.self) { try RuntimeEnd(decoding: [3, 0, 0, 0, 0, 0, 0, 0], count: 8) }
        #expect(throws: Outcome.self) { try RuntimeEnd(decoding: [0, 0, 0, 0, 0, 0, 0, 0], count: 7) }
    }
}
