import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    @Suite struct Start {
        @Test func greets() throws {
            let helper = try TestHelper(ungreeted: TestHelper.start)
            let welcome = try helper.greet()
            #expect(welcome.missing == 0)
            #expect(
                welcome.runtimes.map { String(decoding: $0.name.array, as: UTF8.self) } == [
                    "runc", "crun", "runc-hooks",
                ])
            #expect(try helper.launchers().count == 3)
        }
    }
}
