import Foundation
import TestNode
import Testing

/// aarch64, under an emulator of user programs; `make arm64` does it with the whole helper, which takes minutes.
@Suite struct Arm64Tests {
    @Test func theCLayerDoesWhatItDoesOnX86() throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Support/Arm64/run")
        let output = try shell("'\(script.standardized.path())' layer 2>&1")
        print(output)
        #expect(output.contains("the C layer does on aarch64 what it should"))
    }
}
