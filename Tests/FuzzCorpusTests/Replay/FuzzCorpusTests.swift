import Foundation
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

    @Test func everyCorpusHasATarget() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.corpora.standardized.path())
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
    }
}
