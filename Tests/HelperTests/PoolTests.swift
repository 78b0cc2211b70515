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
                        _ = try await pool.call(.runtimeList(runtime: 9), deadline: .seconds(9), since: since)
                        order.numbers.withLock { $0.append(number) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(order.numbers.withLock { $0 } == [0, 1, 2, 3, 4, 5])
            #expect(pool.started == 1)
        }
    }
}

private final class Order: Sendable {
    let numbers = Mutex<[Int]>([])
}
