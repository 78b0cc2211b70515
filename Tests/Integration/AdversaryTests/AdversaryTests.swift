import Foundation
import Testing

/// A short run of `make adversary`, which sends more.
@Suite struct AdversaryTests {
    @Test func nothingOutsideTheRootsChanges() throws {
        // Built beside this test.
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let log = FileManager.default.temporaryDirectory.appending(path: "podreap-adversary-\(getpid()).log")
        defer { try? FileManager.default.removeItem(at: log) }
        #expect(FileManager.default.createFile(atPath: log.path(), contents: nil))
        let adversary = Process()
        adversary.executableURL = URL(filePath: program).deletingLastPathComponent()
            .appending(path: "podreap-adversary")
        adversary.arguments = ["8000"]
        adversary.standardOutput = try FileHandle(forWritingTo: log)
        try adversary.run()
        adversary.waitUntilExit()
        let text = try String(contentsOf: log, encoding: .utf8)
        print(text)
        #expect(adversary.terminationStatus == 0, "\(text)")
    }
}
