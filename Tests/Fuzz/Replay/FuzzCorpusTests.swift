import Foundation
import TestNode
import Testing

/// Every input of the committed corpora, through the same bodies as the fuzzers.
@Suite struct FuzzCorpusTests {
    private static let corpora = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../corpus")

    static func inputs(_ name: String) throws -> [[UInt8]] {
        try FileManager.default.contentsOfDirectory(
            at: corpora.appending(path: name).standardized, includingPropertiesForKeys: nil
        ).map { Array(try Data(contentsOf: $0)) }
    }

    @Test(arguments: FuzzTarget.all.map(\.name).filter { $0 != FuzzTarget.broker.name })
    func replay(_ name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let inputs = try Self.inputs(name)
        #expect(!inputs.isEmpty)
        for input in inputs { target.body(input) }
    }

    /// In a process of its own: the broker lowers its capabilities and changes its working directory.
    @Test func replayBroker() async {
        await #expect(processExitsWith: .success) {
            let inputs = try Self.inputs(FuzzTarget.broker.name)
            precondition(inputs.count > 100)
            for input in inputs { FuzzTarget.broker.body(input) }
            FuzzTarget.removeBrokerTree()
        }
    }

    /// Every fuzzer builds, and finds nothing in some seconds; what it finds is named with its input.
    @Test func fuzzersRun() throws {
        let tree = Self.corpora.appending(path: "../../..").standardized.path()
        try FileManager.default.createDirectory(atPath: "\(tree)/.build-fuzz", withIntermediateDirectories: true)
        // Far more than the build and the fuzzers take; what hangs is ended.
        let start = ProgramStart(
            ["/usr/bin/timeout", "--kill-after=10", "500", "\(tree)/Tests/Fuzz/run"],
            environment: ProgramStart.ownEnvironment(["SECONDS_EACH": "3", "MERGE": "0"]))
        let (exit, said) = try Program.run(start, seconds: 520)
        #expect(exit == .exited(0), "\(said.suffix(4000))")
        for target in FuzzTarget.all {
            let line = said.split(separator: "\n").first {
                $0.hasPrefix("fuzz: \(target.name) ") && $0.contains(" inputs,")
            }
            #expect(line != nil && line?.contains(" 0 inputs,") == false, "\(target.name): \(said.suffix(4000))")
        }
    }

    @Test func everyCorpusHasATarget() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.corpora.standardized.path())
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
    }
}
