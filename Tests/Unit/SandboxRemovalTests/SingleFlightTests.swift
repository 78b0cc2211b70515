import Dispatch
import Synchronization
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

@Suite struct SingleFlightTests {
    /// Whoever asks while a look is under way gets what the next one sees, together with all others who do.
    @Test func thoseWhoAskMeanwhileShareTheNext() async throws {
        let count = Count()
        let (begun, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let shared = SingleFlight { () throws(ObservationError) -> Int in
            let number = count.increment()
            if number == 1 {
                begun.signal()
                mayEnd.wait()
            }
            return number
        }
        let first = Task { try await shared.seen() }
        await waitOffPool(for: begun)
        let asking = Count()
        let others = (0..<50).map { _ in
            Task {
                asking.increment()
                return try await shared.seen()
            }
        }
        while asking.value < others.count { try await Task.sleep(for: .milliseconds(1)) }
        try await Task.sleep(for: .milliseconds(20))
        mayEnd.signal()
        #expect(try await first.value == 1)
        for other in others { #expect(try await other.value >= 2, "nobody gets what was seen before it asked") }
        #expect(count.value < 10)
    }

    @Test func allHearOfAFailureAndTheNextLooksAgain() async throws {
        let looks = Count()
        let shared = SingleFlight { () throws(ObservationError) -> Int in
            if looks.increment() == 1 { throw .failed(call: "open", path: "/proc/self/mountinfo", code: 24) }
            return 1
        }
        await #expect(throws: ObservationError.self) { try await shared.seen() }
        #expect(try await shared.seen() == 1)
    }
}

private final class Count: Sendable {
    private let atomic = Atomic(0)
    var value: Int { atomic.load(ordering: .relaxed) }

    @discardableResult func increment() -> Int { atomic.wrappingAdd(1, ordering: .relaxed).newValue }
}

private func waitOffPool(for semaphore: DispatchSemaphore) async {
    await withCheckedContinuation { continuation in
        DispatchQueue(label: "test").async {
            semaphore.wait()
            continuation.resume()
        }
    }
}
