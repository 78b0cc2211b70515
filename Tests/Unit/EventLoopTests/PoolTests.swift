import EventLoop
import Synchronization
import Testing

@Suite struct PoolTests {
    @Test func aPoolHasSoManyThreads() async {
        let pool = BlockingPool("test", threads: 3)
        let state = Shared((inside: 0, most: 0))
        await withTaskGroup { group in
            for _ in 0..<60 {
                group.addTask {
                    await pool.run {
                        state.withLock { state in
                            state.inside += 1
                            state.most = max(state.most, state.inside)
                        }
                        sleepFor(milliseconds: 2)
                        state.withLock { $0.inside -= 1 }
                    }
                }
            }
        }
        #expect(state.withLock { $0.most } == 3 && state.withLock { $0.inside } == 0)
    }

    @Test func onePoolDoesNotHoldUpAnother() async {
        let (blocked, free) = (BlockingPool("blocked", threads: 1), BlockingPool("free", threads: 1))
        let isOver = Shared(false)
        blocked.start { while !isOver.withLock({ $0 }) { sleepFor(milliseconds: 1) } }
        for number in 0..<100 { #expect(await free.run { number } == number) }
        isOver.withLock { $0 = true }
    }

    @Test func errorsComeBack() async {
        struct Failure: Error {}
        await #expect(throws: Failure.self) { try await BlockingPool("test", threads: 1).run { throw Failure() } }
    }

    @Test func placesAreTakenInTurn() async throws {
        let places = Places(2)
        let order = Shared<[Int]>([])
        for _ in 0..<2 { #expect(await places.take(until: .now)) }
        #expect(await !places.take(until: .now + .milliseconds(20)))
        try await withThrowingTaskGroup { group in
            for number in 0..<5 {
                group.addTask {
                    #expect(await places.take(until: .now + .seconds(20)))
                    order.withLock { $0.append(number) }
                    places.give()
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            places.give()
            try await group.waitForAll()
        }
        #expect(order.withLock { $0 } == [0, 1, 2, 3, 4])
        places.give()
        #expect(await places.take(until: .now))
    }

    @Test func aPlaceIsTakenOnlyIfFree() async {
        let places = Places(2)
        #expect(places.takeIfFree() && places.takeIfFree() && !places.takeIfFree())
        #expect(await !places.take(until: .now + .milliseconds(20)))
        places.give()
        #expect(await places.take(until: .now))
        #expect(!places.takeIfFree())
        places.give()
        #expect(places.takeIfFree())
    }

    @Test func whoHasLeftIsForgotten() async {
        let places = Places(1)
        #expect(await places.take(until: .now))
        await withTaskGroup { group in
            for _ in 0..<2000 {
                group.addTask { #expect(await !places.take(until: .now + .milliseconds(30))) }
            }
        }
        places.give()
        #expect(await places.take(until: .now))
    }

    @Test func queue() {
        var queue = Queue<Int>()
        var expected: [Int] = []
        for round in 0..<500 {
            for number in 0..<(round % 7) {
                queue.append(round * 10 + number)
                expected.append(round * 10 + number)
            }
            for _ in 0..<(round % 5) {
                #expect(queue.popFirst() == (expected.isEmpty ? nil : expected.removeFirst()))
            }
            #expect(queue.count == expected.count)
        }
        queue.removeAll { $0 % 2 == 0 }
        expected.removeAll { $0 % 2 == 0 }
        while let next = queue.popFirst() { #expect(next == expected.removeFirst()) }
        #expect(expected.isEmpty && queue.isEmpty)
    }
}

/// What several tasks change.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<Result: Sendable>(_ body: (inout sending Value) -> sending Result) -> Result {
        value.withLock { body(&$0) }
    }
}
