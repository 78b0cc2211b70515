import Glibc
import HelperProtocol
import Testing

@testable import HelperOperations

/// What is read of a process before a signal goes to it.
@Suite struct InitSignalTests {
    private func status(_ name: String, _ state: Character, _ start: String = "777", threads: Int = 1) -> ProcessStat? {
        let numbers = (4...21).map { $0 == 20 ? "\(threads)" : "\($0)" }.joined(separator: " ")
        return ProcessStat(Array("4242 (\(name)) \(state) \(numbers) \(start) 23 24\n".utf8))
    }

    @Test(arguments: ["sleep", "a b", ") S 1 (", "(", ""]) func theNameMayBeAnything(_ name: String) {
        for state: Character in ["R", "S"] { #expect(status(name, state)?.startTime == 777) }
    }

    @Test(arguments: ["D", "T", "t"] as [Character]) func stoppedOrFrozen(_ state: Character) {
        #expect(status("sleep", state)?.isStoppedOrFrozen == true && status("sleep", state)?.isDead == false)
    }

    @Test(arguments: ["Z", "X"] as [Character]) func dead(_ state: Character) {
        #expect(status("sleep", state)?.isDead == true && status("sleep", state)?.isStoppedOrFrozen == false)
        // Its first thread has ended, and another has not.
        #expect(status("sleep", state, threads: 2)?.isDead == false)
    }

    @Test(arguments: [
        "", "4242", "4242 (sleep", "4242 (sleep)", "4242 (sleep) S", "4242 (sleep) S 1 2 3 ", "4242 (sleep) SS 1",
    ])
    func damagedStatus(_ stat: String) {
        #expect(ProcessStat(Array(stat.utf8)) == nil)
    }

    /// What the kernel says of this very process.
    @Test func itself() throws {
        let stat = try Descriptor.ofProcess(getpid(), "stat").beginning()
        let process = try #require(ProcessStat(stat))
        let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        #expect(process.startTime == UInt64(fields[19]) && !process.isDead)
    }
}
