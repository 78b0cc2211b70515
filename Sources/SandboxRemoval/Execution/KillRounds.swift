/// Decides how to kill what lives of a container whose init process is gone or cannot be reached, and when to give up.
/// Processes fork, so it tries each way in turn until nothing lives or the time is over.
struct KillRounds {
    /// The ways to kill, ordered by which processes each reaches.
    enum Way: Equatable {
        case cgroups, runtime, delete
        /// Kills only processes that are certainly the container's own, in a cgroup that it shares with a living one.
        case own

        /// Those to try in turn.
        static let inTurn = [cgroups, runtime, delete]
    }

    /// What came of a try.
    enum Effect {
        /// This way does not exist here.
        case unavailable
        case refused
        /// Refused, because a container that is not registered lives in the cgroup; the runtime would kill it too.
        case sharedCgroup
        /// There was nothing that could be killed.
        case nothingThere
        /// Signals were sent, or may have been.
        case tried
    }

    /// Whether something may have been killed.
    private(set) var hasKilled = false
    private(set) var isShared = false
    /// When it gives up.
    private(set) var end: ContinuousClock.Instant
    private var tries = 0

    init(until end: ContinuousClock.Instant) { self.end = end }

    /// The next way; nil if the time is over. There is always a first one.
    mutating func next(at now: ContinuousClock.Instant) -> Way? {
        if tries > 0, now >= end { return nil }
        defer { tries += 1 }
        return isShared ? .own : Way.inTurn[tries % Way.inTurn.count]
    }

    mutating func apply(_ effect: Effect, of way: Way, at now: ContinuousClock.Instant) {
        switch effect {
        case .unavailable, .refused: break
        case .sharedCgroup: isShared = true
        case .nothingThere, .tried: hasKilled = true
        }
        // Nothing of its own is left there, so time changes nothing.
        if way == .own, effect == .unavailable || effect == .nothingThere { end = now }
        // No way has reached them: they end by themselves at once, or not at all.
        if !hasKilled, tries == Way.inTurn.count + 1 { end = min(end, now + .seconds(1)) }
    }
}
