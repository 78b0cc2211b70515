import HelperProtocol
import Testing

@testable import SandboxRemoval

/// What follows each answer while a directory is removed.
@Suite struct DirectorySlicesTests {
    private func slices(entries: UInt32 = 1_000_000, mayShare: Bool = true) -> DirectorySlices {
        DirectorySlices(
            DirectorySlices.Bounds(entries: entries, time: .seconds(1), longest: .seconds(20)), mayShare: mayShare)
    }

    private func refused(_ rule: Rule) -> Outcome { .refused(rule, detail: []) }

    @Test func aSmallDirectoryTakesOneRequest() {
        var slices = slices()
        #expect(slices.slice == Slice(entries: 4000) && slices.time == .seconds(1))
        #expect(slices.next(after: .done, count: 12, took: .zero) == .end(StepSuccess(entries: 12)))
    }

    @Test func anEmptyPlaceIsAlreadyDone() {
        var slices = slices()
        #expect(slices.next(after: .alreadyDone, count: 0, took: .zero) == .end(.alreadyDone))
    }

    @Test func whatOthersTookAtTheEndStillCounts() {
        var slices = slices(mayShare: false)
        #expect(slices.next(after: .inProgress, count: 4000, took: .zero) == .goOn)
        #expect(slices.next(after: .alreadyDone, count: 0, took: .zero) == .end(StepSuccess(entries: 4000)))
    }

    @Test func aLargeDirectoryIsSharedOnce() {
        var slices = slices()
        #expect(slices.next(after: .inProgress, count: 4000, took: .zero) == .share)
        slices.entries += 90_000
        #expect(slices.slice == Slice(entries: 1_000_000))
        #expect(slices.next(after: .inProgress, count: 10, took: .zero) == .goOn)
        #expect(slices.next(after: .done, count: 5, took: .zero) == .end(StepSuccess(entries: 94_015)))
    }

    @Test func noRequestRemovesMoreThanItMay() {
        var slices = slices(entries: 100)
        #expect(slices.slice == Slice(entries: 100))
        #expect(slices.next(after: .inProgress, count: 100, took: .zero) == .share)
        #expect(slices.slice == Slice(entries: 100))
    }

    /// It entered many directories before it reached the first entry, and will have to enter them again.
    @Test func aRequestThatTookTwiceItsTimeGetsMore() {
        var slices = slices(mayShare: false)
        _ = slices.next(after: .inProgress, count: 1, took: .seconds(2))
        #expect(slices.time == .seconds(1))
        _ = slices.next(after: .inProgress, count: 1, took: .milliseconds(2001))
        #expect(slices.time == .seconds(20))
    }

    @Test func oneTimeoutIsForgivenAndTheNextIsNot() {
        var slices = slices()
        #expect(slices.next(after: .timedOut, count: 0, took: .seconds(1)) == .goOn)
        #expect(slices.time == .seconds(20))
        #expect(slices.next(after: .timedOut, count: 0, took: .seconds(20)) == .fail)
    }

    @Test func mountsThatKeepAppearingEndIt() {
        var slices = slices()
        for _ in 0..<mountRounds {
            #expect(slices.next(after: refused(.mountBeneath), count: 0, took: .zero) == .detach)
        }
        #expect(slices.next(after: refused(.mountBeneath), count: 0, took: .zero) == .fail)
    }

    @Test(arguments: [Rule.identityMismatch, .notDirectory])
    func whatIsNotThePodsStays(_ rule: Rule) {
        var slices = slices()
        guard case .end(let success) = slices.next(after: refused(rule), count: 0, took: .zero) else {
            Issue.record("it is no end")
            return
        }
        #expect(success.already && success.entries == nil && success.detail?.hasSuffix("stays") == true)
    }

    @Test(arguments: [
        Outcome.refused(.leavesRoot, detail: []), .refused(.immutableEntry, detail: []),
        .failed(Failure(errno: 5, call: .unlink)), .unsupported(.spoken),
    ])
    func anythingElseIsAFailure(_ outcome: Outcome) {
        var slices = slices()
        #expect(slices.next(after: outcome, count: 3, took: .zero) == .fail)
        #expect(slices.entries == 3)
    }
}
