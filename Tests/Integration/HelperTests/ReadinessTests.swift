import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    @Suite struct Readiness {
        /// Welcome means that broker and launchers are confined already, not that they soon will be.
        @Test func nobodyIsAnsweredBeforeAllAreConfined() throws {
            try TestNode.shared()
            for _ in 0..<30 {
                let helper = try TestHelper(ungreeted: TestHelper.start)
                _ = try helper.greet()
                for launcher in try helper.launchers() {
                    let status = try NodeProcess(launcher).status()
                    #expect(status["Seccomp"] == "2" && status["CapEff"] == "0000000000000022")
                }
            }
        }
    }
}
