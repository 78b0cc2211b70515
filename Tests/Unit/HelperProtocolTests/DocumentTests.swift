import Foundation
import HelperProtocol
import Testing

/// What PROTOCOL.md says is what the code does: its numbers, limits and examples.
@Suite struct DocumentTests {
    private let text: String
    /// The same on one line.
    private let prose: String

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
        text = try String(contentsOf: root.appending(path: "Sources/HelperProtocol/PROTOCOL.md"), encoding: .utf8)
        prose = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test(arguments: Kind.allCases)
    func kind(_ kind: Kind) { expectRow(kind.rawValue, "\(kind)", of: Kind.allCases.count) }

    @Test(arguments: RootKind.allCases)
    func rootKind(_ kind: RootKind) { expectRow(UInt16(kind.rawValue), "\(kind)", of: RootKind.allCases.count) }

    @Test(arguments: Rule.allCases)
    func rule(_ rule: Rule) { expectRow(rule.rawValue, "\(rule)", of: Rule.allCases.count) }

    @Test(arguments: Call.allCases)
    func call(_ call: Call) { expectRow(call.rawValue, "\(call)", of: Call.allCases.count) }

    @Test(arguments: Malformed.allCases)
    func reason(_ reason: Malformed) { expectRow(reason.rawValue, "\(reason)", of: Malformed.allCases.count) }

    @Test func limits() {
        // Spelt out here once more: they are part of the protocol.
        #expect(Limits.requestBytes == 4096 && prose.contains("request is at most 4096 bytes"))
        #expect(Limits.replyBytes == 16384 && prose.contains("reply at most 16384"))
        #expect(Limits.components == 16 && prose.contains("*count*, 0 to 16"))
        #expect(Limits.componentBytes == 255 && prose.contains("text8 of 1 to 255 bytes"))
        #expect(Limits.containerIDBytes == 128 && prose.contains("1 to 128 of `A-Z a-z 0-9 _ . + -`"))
        #expect(Limits.cgroupTargets == 16 && prose.contains("u8 *count*, 1 to 16; *count* cgroups"))
        #expect(Limits.cgroupProcesses == 10 && prose.contains("u8 *count*, 1 to 10; *count* processes"))
        #expect(Limits.containerCgroups == 32 && prose.contains("how many cgroups follow, at most 32"))
        #expect(Limits.cgroupPathBytes == 4095 && prose.contains("text16 path (at most 4095)"))
        #expect(Limits.containerCgroupBytes == 12288 && prose.contains("at most 12288 bytes"))
        #expect(Limits.sliceEntries == 1_000_000 && prose.contains("*entries*, 1 to 1000000"))
        #expect(Limits.shares == 16 && prose.contains("*count*, 1 to 16"))
        #expect(Limits.deadlineMilliseconds == 600_000 && prose.contains("milliseconds, 1 to 600000"))
        #expect(Limits.detailBytes == 1024 && prose.contains("text16 detail (at most 1024 bytes)"))
        #expect(Limits.errorOutputBytes == 2048 && prose.contains("the last 2048 bytes"))
        #expect(Limits.inlineOutputBytes == 8192 && prose.contains("*output* of at most 8192 bytes"))
        #expect(Limits.outputBytes == 4 << 20 && prose.contains("writes more than 4 MiB"))
        #expect(Limits.roots == 32 && prose.contains("how many follow, at most 32"))
        #expect(Limits.runtimes == 8 && prose.contains("how many follow, at most 8"))
        #expect(Limits.policyPathBytes == 255 && prose.contains("text8 path (at most 255 bytes)"))
        #expect(Limits.policyNameBytes == 64 && prose.contains("text8 name (at most 64)"))
    }

    /// Each example is a vector's file, with the bytes that the file has.
    @Test func examples() throws {
        // Between fences: text, example, text, example...
        let parts = text.components(separatedBy: "```\n")
        #expect(parts.count == 11)
        for index in stride(from: 1, to: parts.count, by: 2) {
            let (before, block) = (parts[index - 1], parts[index])
            let line = try #require(before.split(separator: "\n").last { $0.contains(".bin`: ") })
            let name = line.dropFirst().components(separatedBy: ".bin`")[0]
            let bytes = block.split { $0.isWhitespace }.map { UInt8($0, radix: 16) }
            #expect(try bytes == VectorFiles.read(name), "\(name)")
        }
    }

    /// A table's row `| NUMBER | `NAME` |`, in a table that has no other rows.
    private func expectRow(_ number: UInt16, _ name: String, of count: Int) {
        let tables = text.components(separatedBy: "\n\n").filter { $0.contains("| `\(name)` |") }
        let table = tables.first { $0.contains("\n| \(number) | `\(name)` |") }
        #expect(table != nil, "\(number) \(name)")
        // Two lines are the table's head.
        if let table { #expect(table.split(separator: "\n").count == count + 2, "\(name)") }
    }
}
