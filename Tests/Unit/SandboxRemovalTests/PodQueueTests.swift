import EventLoop
import Foundation
import HelperClient
import SandboxRegistry
import Synchronization
import Testing

@testable import SandboxRemoval

/// Calls of one process for one sandbox: one works, the others wait in memory.
@Suite struct PodQueueTests {
    private let queue = PodQueue()
    private let remove = Wanted(.remove, RemovalOptions())
    private let soon: Duration = .seconds(20)

    private func report(
        _ purpose: RemovalPlan.Purpose, _ outcome: RemovalReport.Outcome, hook: [String]? = nil,
        ranOutOfTime: Bool? = nil
    ) -> RemovalReport {
        var report = RemovalReport(
            purpose: purpose, sandbox: Records.sandbox(), startedAt: Date(), duration: .seconds(1), outcome: outcome,
            steps: [],
            warnings: [])
        report.hook = hook
        report.ranOutOfTime = ranOutOfTime
        return report
    }

    private func ended(_ wanted: Wanted, _ report: RemovalReport, ranOutOfTime: Bool = false) -> PodQueue.Ended {
        PodQueue.Ended(
            wanted: wanted, result: .success(.finished(report, joined: false)), ranOutOfTime: ranOutOfTime)
    }

    /// Five thousand wait, take no thread meanwhile, and hear the one answer.
    @Test func allHearTheAnswer() async throws {
        let turn = await queue.enter("p", remove, until: .now + soon) {}
        guard case .first = turn else { return #expect(Bool(false)) }
        let waiting = Count()
        let (queue, remove) = (queue, remove)
        let before = try threads()
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<5000 {
                group.addTask {
                    let turn = await queue.enter("p", remove, until: .now + .seconds(60)) {
                        waiting.add()
                    }
                    guard case .ended(let ended) = turn, case .success(.finished(_, true)) = ended.answer(to: remove)
                    else {
                        return false
                    }
                    return true
                }
            }
            while waiting.value < 5000 { try await Task.sleep(for: .milliseconds(1)) }
            let during = try threads()
            #expect(during <= before + 8, "\(during) threads, and \(before) before")
            queue.leave("p", ended(remove, report(.remove, .removed)))
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        // Who came between two steps of his own may be first.
        #expect(answers >= 4999)
    }

    private func threads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
    }

    @Test func othersDoNotWait() async {
        for id in ["a", "b"] {
            guard case .first = await queue.enter(id, remove, until: .now, waiting: {}) else {
                Issue.record("\(id) waits")
                return
            }
        }
    }

    @Test func waitingHasADeadline() async {
        _ = await queue.enter("p", remove, until: .now + soon) {}
        let began = ContinuousClock.now
        let turn = await queue.enter("p", remove, until: .now + .milliseconds(50)) {}
        #expect(turn == nil && .now - began >= .milliseconds(50))
        #expect(await queue.enter("p", remove, until: .now) {} == nil)
    }

    /// A removal lets containers have no more time; a stop, as long as it says itself.
    @Test func whoGivesLessHurries() async throws {
        let stop = Wanted(.stop, grace: .seconds(1000), RemovalOptions())
        _ = await queue.enter("p", stop, until: .now + soon) {}
        let queue = queue
        async let patient = queue.enter("p", stop, until: .now + .milliseconds(200)) {}
        try await Task.sleep(for: .milliseconds(100))
        #expect(!queue.isHurried("p"))
        async let removal = queue.enter("p", remove, until: .now + soon) {}
        while !queue.isHurried("p") { try await Task.sleep(for: .milliseconds(1)) }
        _ = await patient
        queue.leave("p", ended(stop, report(.stop, .stopped)))
        #expect(await removal != nil)
        #expect(!queue.isHurried("p"))
    }

    @Test func whatAnswersWhom() {
        let stop = Wanted(.stop, RemovalOptions())
        #expect(remove.isAnswered(by: report(.remove, .removed)) && stop.isAnswered(by: report(.remove, .removed)))
        #expect(stop.isAnswered(by: report(.stop, .stopped)) && !remove.isAnswered(by: report(.stop, .stopped)))
        #expect(remove.isAnswered(by: report(.remove, .incomplete)))
        #expect(!stop.isAnswered(by: report(.remove, .incomplete)))
        // Another had less time than this one has.
        #expect(!remove.isAnswered(by: report(.remove, .incomplete, ranOutOfTime: true)))
    }

    /// Whoever gave up sooner than this call would have fails for himself alone.
    @Test func patienceCounts() {
        func report(_ options: RemovalOptions, _ outcome: RemovalReport.Outcome) -> RemovalReport {
            var report = self.report(.remove, outcome)
            report.bounds = RemovalBounds(options)
            return report
        }
        let (hasty, usual) = (RemovalOptions(afterKill: .milliseconds(1)), RemovalOptions())
        #expect(!remove.isAnswered(by: report(hasty, .incomplete)))
        #expect(remove.isAnswered(by: report(usual, .incomplete)) && remove.isAnswered(by: report(hasty, .removed)))
        #expect(Wanted(.remove, hasty).isAnswered(by: report(usual, .incomplete)))
        #expect(!Wanted(.remove, RemovalOptions(assumesDeath: true)).isAnswered(by: report(usual, .incomplete)))
        let failed = PodQueue.Ended(
            wanted: Wanted(.remove, RemovalOptions(runtimeCall: .seconds(1))),
            result: .failure(.helper(.tooManyAbandoned(4))), ranOutOfTime: false)
        #expect(failed.answer(to: remove) == nil && failed.answer(to: failed.wanted) != nil)
    }

    @Test func hooksCount() {
        var options = RemovalOptions()
        options.runBeforeNamespaces(["/bin/del", "a"], timeout: .seconds(1))
        let hooked = Wanted(.remove, options)
        #expect(hooked.hook == .program(["/bin/del", "a"]))
        #expect(hooked.isAnswered(by: report(.remove, .removed, hook: ["/bin/del", "a"])))
        #expect(!hooked.isAnswered(by: report(.remove, .removed)))
        #expect(!hooked.isAnswered(by: report(.remove, .removed, hook: ["/bin/del", "b"])))
        #expect(!hooked.isAnswered(by: report(.remove, .incomplete)))
        // Who wants none called has what he wants; but another's failing hook is not his failure.
        #expect(remove.isAnswered(by: report(.remove, .removed, hook: ["/bin/del"])))
        #expect(!remove.isAnswered(by: report(.remove, .incomplete, hook: ["/bin/del"])))
        let code = Wanted(.remove, RemovalOptions(beforeNamespaces: { _ in }))
        #expect(code.hook == .code && !code.isAnswered(by: report(.remove, .removed)))
        #expect(Wanted(.removeContainer, container: "c", options).hook == .none)
    }

    @Test func containersAreToldApart() {
        let a = Wanted(.removeContainer, container: "a", RemovalOptions())
        let b = Wanted(.removeContainer, container: "b", RemovalOptions())
        let done = ended(a, report(.removeContainer, .removed))
        #expect(done.answer(to: a) != nil && done.answer(to: b) == nil && done.answer(to: remove) == nil)
    }

    /// What stopped the one at work stops the others too, unless it was his time, or his hook.
    @Test func errorsAreShared() {
        func ended(_ wanted: Wanted, _ late: Bool) -> PodQueue.Ended {
            PodQueue.Ended(wanted: wanted, result: .failure(.helper(.missing("/x"))), ranOutOfTime: late)
        }
        #expect(ended(remove, false).answer(to: remove) != nil)
        #expect(ended(remove, true).answer(to: remove) == nil)
        let code = Wanted(.remove, RemovalOptions(beforeNamespaces: { _ in }))
        #expect(ended(code, false).answer(to: remove) == nil)
        // Nobody knows whether two callers' code does the same, so neither has failed for the other.
        #expect(ended(code, false).answer(to: code) == nil)
        var program = RemovalOptions()
        program.runBeforeNamespaces(["/bin/del"], timeout: .seconds(1))
        let same = Wanted(.remove, program)
        #expect(ended(same, false).answer(to: same) != nil && ended(same, false).answer(to: code) == nil)
    }
}

private final class Count: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}

/// Waiting for another process.
@Suite(.serialized) struct LockWatchTests {
    private let place = TemporaryDirectory()
    private let holder = LockHolder(pid: 1, startTime: 1, work: "test")

    @Test func hearsAtOnce() async throws {
        let registry = try Registry(path: place.path + "/registry.sqlite")
        let watch = LockWatch(registry)
        var times: [Duration] = []
        for _ in 0..<20 {
            let hold = try #require(try registry.lock("p", as: holder))
            async let isFree = watch.waitUntilFree("p", until: .now + .seconds(10))
            try await Task.sleep(for: .milliseconds(20))
            let began = ContinuousClock.now
            hold.release()
            #expect(await isFree)
            times.append(.now - began)
        }
        // A look now and then would take 50 ms.
        #expect(times.sorted()[10] < .milliseconds(20), "\(times)")
    }

    @Test func hasADeadline() async throws {
        let registry = try Registry(path: place.path + "/registry.sqlite")
        let hold = try #require(try registry.lock("p", as: holder))
        let watch = LockWatch(registry)
        #expect(await !watch.waitUntilFree("p", until: .now + .milliseconds(50)))
        #expect(await watch.waitUntilFree("q", until: .now + .seconds(5)))
        hold.release()
    }
}

/// A directory that goes with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("podreap-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
