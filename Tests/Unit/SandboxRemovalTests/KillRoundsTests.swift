import Testing

@testable import SandboxRemoval

/// How what lives of a container is killed, and for how long that is tried.
@Suite struct KillRoundsTests {
    private let start = ContinuousClock.now

    private func rounds(seconds: Int = 10) -> KillRounds { KillRounds(until: start + .seconds(seconds)) }

    @Test func triesEachWayInTurn() {
        var rounds = rounds()
        var ways: [KillRounds.Way?] = []
        for _ in 0..<7 {
            ways.append(rounds.next(at: start))
            rounds.apply(.tried, of: .cgroups, at: start)
        }
        #expect(ways == [.cgroups, .runtime, .delete, .cgroups, .runtime, .delete, .cgroups])
    }

    /// A container that is not registered lives in the cgroup: the runtime would kill it, too.
    @Test func killsOnlyWhatIsItsOwnInASharedCgroup() {
        var rounds = rounds()
        #expect(rounds.next(at: start) == .cgroups)
        rounds.apply(.sharedCgroup, of: .cgroups, at: start)
        #expect(rounds.isShared && !rounds.hasKilled)
        for _ in 0..<5 {
            #expect(rounds.next(at: start) == .own)
            rounds.apply(.tried, of: .own, at: start)
        }
    }

    @Test(arguments: [KillRounds.Effect.unavailable, .nothingThere])
    func givesUpWhereNothingOfItsOwnIsLeftInASharedCgroup(_ effect: KillRounds.Effect) {
        var rounds = rounds()
        _ = rounds.next(at: start)
        rounds.apply(.sharedCgroup, of: .cgroups, at: start)
        #expect(rounds.next(at: start) == .own)
        rounds.apply(effect, of: .own, at: start)
        #expect(rounds.next(at: start) == nil)
    }

    @Test func triesOnceHoweverLateItIs() {
        var rounds = rounds(seconds: -1)
        #expect(rounds.next(at: start) == .cgroups)
        rounds.apply(.tried, of: .cgroups, at: start)
        #expect(rounds.next(at: start) == nil)
    }

    @Test func triesUntilTheTimeIsOver() {
        var rounds = rounds()
        for second in 0..<10 {
            #expect(rounds.next(at: start + .seconds(second)) != nil)
            rounds.apply(.tried, of: .cgroups, at: start + .seconds(second))
        }
        #expect(rounds.next(at: start + .seconds(10)) == nil)
        #expect(rounds.hasKilled)
    }

    /// Each way was tried, the first twice, and none reached anything: one more second.
    @Test(arguments: [KillRounds.Effect.unavailable, .refused])
    func doesNotWaitLongForWhatNoWayReaches(_ effect: KillRounds.Effect) {
        var rounds = rounds()
        for _ in 0..<3 {
            let way = rounds.next(at: start)
            rounds.apply(effect, of: way ?? .own, at: start)
            #expect(rounds.end == start + .seconds(10))
        }
        #expect(rounds.next(at: start) == .cgroups)
        rounds.apply(effect, of: .cgroups, at: start)
        #expect(!rounds.hasKilled && rounds.end == start + .seconds(1))
    }

    @Test func waitsWhereOneWayHasKilled() {
        var rounds = rounds()
        for effect in [KillRounds.Effect.refused, .tried, .refused, .refused, .refused] {
            let way = rounds.next(at: start)
            rounds.apply(effect, of: way ?? .own, at: start)
        }
        #expect(rounds.hasKilled && rounds.end == start + .seconds(10))
    }
}
