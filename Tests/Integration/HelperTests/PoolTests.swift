import Foundation
import HelperClient
import HelperProtocol
import Synchronization
import TestNode
import Testing

extension RealHelper {
    @Suite struct Pool {
        /// While the only helper is busy, calls wait in the order in which the work began that they are a part of; what is no part of
        /// any (0) comes before all.
        @Test func whatBeganFirstComesFirst() async throws {
            try TestNode.shared()
            let policy = try TestPolicy(try ProbePolicy.text())
            try shell("mkdir -p \(ProbePolicy.stateRoot)/sleep")
            let pool = HelperPool(.program(TestNode.helper, arguments: [policy.file]), limits: HelperLimits(helpers: 1))
            _ = try await pool.welcome()
            let order = Order()
            let began = ContinuousClock.now
            let busy = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep".utf8)))
            try await withThrowingTaskGroup { group in
                group.addTask {
                    let reply = try await pool.call(.runtimeState(busy), deadline: .seconds(2))
                    #expect(reply.outcome == .timedOut)
                }
                try await Task.sleep(for: .milliseconds(200))
                for number in [3, 1, 4, 0, 2, 5] {
                    group.addTask {
                        let since = number == 0 ? nil : began + .milliseconds(number)
                        // Each takes long enough for its end to be seen before the next one's.
                        _ = try await pool.call(.runtimeState(busy), deadline: .milliseconds(100), since: since)
                        order.numbers.withLock { $0.append(number) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(order.numbers.withLock { $0 } == [0, 1, 2, 3, 4, 5])
            #expect(pool.started == 1)
        }
        /// The only helper is busy for longer than a call has time.
        @Test func aWaitHasADeadline() async throws {
            try TestNode.shared()
            let policy = try TestPolicy(try ProbePolicy.text())
            try shell("mkdir -p \(ProbePolicy.stateRoot)/sleep")
            let pool = HelperPool(.program(TestNode.helper, arguments: [policy.file]), limits: HelperLimits(helpers: 1))
            let session = try await pool.session()
            let busy = RuntimeTarget(runtime: 0, id: try ContainerID(Array("sleep".utf8)))
            async let slow = session.call(.runtimeState(busy), deadline: .seconds(3))
            try await Task.sleep(for: .milliseconds(200))
            let began = ContinuousClock.now
            do throws(HelperError) {
                _ = try await session.call(
                    .runtimeList(runtime: 9), deadline: .seconds(9), until: .now + .milliseconds(300))
                Issue.record("a busy helper answered")
            } catch {
                if case .allBusy = error {} else { Issue.record("\(error)") }
            }
            #expect((.milliseconds(300)...(.seconds(2))).contains(.now - began))
            #expect(try await slow.outcome == .timedOut)
            // Who has left does not take the helper that comes free.
            _ = try await session.call(.runtimeList(runtime: 9), deadline: .seconds(9), until: .now + .seconds(9))
        }

        /// A call that is meant to be short meets a helper that the kernel holds for longer.
        @Test func whatIsSlowIsWaitedFor() async throws {
            try TestNode.shared()
            let policy = try TestPolicy(try ProbePolicy.text())
            let limits = HelperLimits(helpers: 1, margin: .milliseconds(200))
            let pool = HelperPool(.program(TestNode.helper, arguments: [policy.file]), limits: limits)
            _ = try await pool.welcome()
            let helper = try #require(
                try NodeProcess(getpid()).children().first { pid in
                    (try? NodeProcess(pid).read("cmdline"))?.contains(policy.file) == true
                })
            func call(patience: Duration) async throws(HelperError) -> Reply {
                try await pool.call(.runtimeList(runtime: 9), deadline: .milliseconds(100), patience: patience)
            }
            #expect(kill(helper, SIGSTOP) == 0)
            async let patient = call(patience: .seconds(20))
            try await Task.sleep(for: .seconds(1))
            #expect(kill(helper, SIGCONT) == 0)
            _ = try await patient
            #expect(kill(helper, SIGSTOP) == 0)
            await #expect(throws: HelperError.noReply(.runtimeList, .milliseconds(300))) {
                try await call(patience: .zero)
            }
            #expect(pool.started == 1)
        }
    }
}

private final class Order: Sendable {
    let numbers = Mutex<[Int]>([])
}
