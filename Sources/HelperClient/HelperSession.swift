public import HelperProtocol

/// A pool's helpers, as far as they go by the policy that was current when the session was opened.
///
/// A `Place` or a runtime's number means something in one policy alone, so whoever keeps one uses the session that it was made for. Where
/// `helper.conf` is changed meanwhile, the session ends under the old one: its helpers stay as long as it does.
public final class HelperSession: Sendable {
    /// What these helpers are, and what the policy lets them do.
    public let welcome: Welcome
    private let policy: Int
    private let pool: HelperPool

    init(_ pool: HelperPool, _ policy: Int, _ welcome: Welcome) {
        self.pool = pool
        self.policy = policy
        self.welcome = welcome
    }

    deinit { pool.close(policy) }

    /// As the pool's.
    public var serviceManager: Int32? { pool.serviceManager }

    /// The most helpers that work at once.
    public var most: Int { pool.most }

    /// Asks a helper and returns its reply; output that a runtime printed is always inline in it.
    ///
    /// Where a helper dies meanwhile, another is asked, and a third where that dies too; not where asking twice could do harm.
    ///
    /// - Parameters:
    ///   - deadline: For the helper, 1 ms to 10 minutes from when it receives the request: then it answers `timedOut`. Where it
    ///     does not even do that, it is abandoned after the pool's margin.
    ///   - patience: How long it is waited for at least before the margin begins, where that is longer: a call that is meant to be short
    ///     may meet a disk that is slow.
    ///   - since: When the work began that this is a part of. While every helper is busy, what began first comes first: it ends
    ///     sooner, and leaves the others less to look through. Before all that goes a call by itself: nil.
    ///   - end: Until when it waits for a helper at the most, and its deadline and patience are no later.
    /// - Throws: `allBusy` where no helper was free until then.
    public func call(
        _ request: Request, deadline: Duration, patience: Duration = .zero, since: ContinuousClock.Instant? = nil,
        until end: ContinuousClock.Instant? = nil
    ) async throws(HelperError) -> Reply {
        for _ in 0..<2 {
            do throws(HelperError) {
                return try await pool.callOnce(request, policy, deadline, patience, since, end)
            } catch .died where request.mayBeRepeated {
                continue
            } catch .endedAtStart(_, .signalled) {
                // It was asked nothing yet.
                continue
            }
        }
        return try await pool.callOnce(request, policy, deadline, patience, since, end)
    }
}

extension Request {
    /// Whether a second request after an unknown end of the first does no harm. To a program, a second TERM may mean
    /// something else than the first.
    fileprivate var mayBeRepeated: Bool {
        switch self {
        case .runtimeKill(_, _, let signal, _), .runtimeKillCgroups(_, _, let signal, _): signal == 9
        default: true
        }
    }
}
