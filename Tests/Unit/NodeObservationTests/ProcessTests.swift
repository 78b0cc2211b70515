import Foundation
import TestNode
import Testing

@testable import NodeObservation

@Suite struct ProcessTests {
    private func soon(_ seconds: Double) -> ContinuousClock.Instant { .now + .seconds(seconds) }

    private func find(_ pid: Int32, _ startTime: UInt64?) throws -> Bool {
        if let startTime { return try ProcessHandle(pid: pid, startTime: startTime) != nil }
        return try ProcessHandle(pid: pid) != nil
    }

    @Test func readsNamesThatLookLikeFields() throws {
        let rest = " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1 2\n"
        let status = try #require(ProcessStatus(pid: 42, stat: Array("42 (a) R 1 ) (b)".utf8) + Array(rest.utf8)))
        #expect(status.name == "a) R 1 ) (b")
        #expect(status.state == "S")
        #expect(status.parent == 7)
        #expect(status.startTime == 987_654_321)
    }

    @Test(arguments: [
        "", "1", "1 )(", "1 (a)", "1 (a) S 1", "1 (a) SS 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 1 2",
    ])
    func refusesAStatusThatIsNone(_ bad: String) {
        #expect(ProcessStatus(pid: 1, stat: Array(bad.utf8)) == nil)
    }

    @Test func observesThisProcess() throws {
        let pid = ProcessInfo.processInfo.processIdentifier
        let status = try #require(try ProcessStatus.of(pid: pid))
        #expect(status.state == "R" || status.state == "S")
        #expect(status.startTime > 0)
        #expect(try ProcessStatus.namespacePIDs(of: pid).first == pid)
        #expect(try ProcessStatus.of(pid: -1) == nil)
        #expect(try ProcessStatus.startTime(of: .max) == nil)
    }

    @Test func refusesAnotherProcessWithTheSamePID() throws {
        let child = try Program(script: "exec sleep 60")
        let start = try #require(try ProcessStatus.startTime(of: child.pid))
        #expect(try find(child.pid, start))
        #expect(try find(child.pid, nil))
        #expect(try !find(child.pid, start + 1))
        #expect(try !find(.max, nil))
        #expect(try !find(0, nil))
        #expect(try !find(-child.pid, nil))
    }

    @Test func waitEndsWithTheProcess() async throws {
        let child = try Program(script: "exec sleep 60")
        guard let handle = try ProcessHandle(pid: child.pid) else { throw Missing() }
        let wasGone = handle.isGone
        #expect(!wasGone)
        let pid = child.pid
        Task {
            try await Task.sleep(for: .milliseconds(50))
            kill(pid, SIGKILL)
        }
        let began = ContinuousClock.now
        let ended = await handle.wait(until: soon(30))
        #expect(ended)
        #expect(began.duration(to: .now) < .seconds(10))
        let isGone = handle.isGone
        #expect(isGone)
        let stillEnded = await handle.wait(until: soon(-1))
        #expect(stillEnded)
    }

    @Test func waitEndsAtTheDeadline() async throws {
        let child = try Program(script: "exec sleep 60")
        guard let handle = try ProcessHandle(pid: child.pid) else { throw Missing() }
        let began = ContinuousClock.now
        let ended = await handle.wait(until: soon(0.1))
        let endedBefore = await handle.wait(until: soon(-5))
        #expect(!ended && !endedBefore)
        let elapsed = began.duration(to: .now)
        #expect(elapsed >= .milliseconds(100))
        #expect(elapsed < .seconds(10))
    }

    @Test func waitEndsWhenItsTaskIsCancelled() async throws {
        let child = try Program(script: "exec sleep 60")
        let pid = child.pid
        let waiting = Task {
            guard let handle = try ProcessHandle(pid: pid) else { throw Missing() }
            return await handle.wait(until: .now + .seconds(60))
        }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        #expect(try await waiting.value == false)
        withExtendedLifetime(child) {}
    }

    /// Far more waits at once than the concurrency pool has threads: they would never end if each held one.
    @Test func manyWaitAtOnce() async throws {
        let children = try (0..<32).map { _ in try Program(script: "exec sleep 60") }
        let ended = try await withThrowingTaskGroup(of: Bool.self) { group in
            for child in children {
                let pid = child.pid
                group.addTask {
                    guard let handle = try ProcessHandle(pid: pid) else { throw Missing() }
                    return await handle.wait(until: .now + .seconds(30))
                }
            }
            group.addTask {
                for child in children { child.kill() }
                return true
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(ended == 33)
    }

    @Test func bootIDIsAUUID() throws {
        #expect(UUID(uuidString: try Boot.id()) != nil)
    }

    struct Missing: Error {}
}
