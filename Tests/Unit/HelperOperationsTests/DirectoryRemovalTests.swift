import CLinux
import Foundation
import Glibc
import HelperProtocol
import Testing

@testable import HelperOperations

/// What a removal does, in counts that no machine changes.
@Suite struct DirectoryRemovalTests {
    private static func makeChain(_ path: String, levels: Int) throws {
        try #require(unsafe mkdir(path, 0o755) == 0, "\(errno)")
        var directory = try Descriptor.absolute(Array((path + "\0").utf8).span, .pathOfDirectory)
        for _ in 1..<levels {
            try #require(unsafe mkdirat(directory.raw, "d", 0o755) == 0, "\(errno)")
            directory = try directory.open(Array("d\0".utf8).span, .pathOfDirectory)
        }
    }

    /// However deep, each level is entered a few times: their number is not the depth's square, nor a power of it.
    @Test(arguments: [(1000, 2.5), (20_000, 4.0), (100_000, 5.0)]) func entersDeepLevelsAFewTimes(
        _ levels: Int, _ most: Double
    ) throws {
        let text = "podreap-chain-\(UUID().uuidString)"
        try Self.makeChain("/dev/shm/\(text)", levels: levels)
        let parent = try Descriptor.absolute(Array("/dev/shm\0".utf8).span, .pathOfDirectory)
        let name = try #require(InlineBytes<256>(Array(text.utf8)[...]))
        let removal = DirectoryRemoval()
        removal.begin(Slice(entries: 1_000_000), Deadline(milliseconds: 600_000), onlyDirectories: false)
        let target = try parent.open(name.terminated, .directory)
        let outcome = try removal.run(parent, name, target)
        #expect(outcome == .done && removal.removed == UInt64(levels))
        #expect(Double(removal.entered) < Double(levels) * most, "\(removal.entered)")
    }
}
