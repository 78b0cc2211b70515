public import HelperProtocol

/// A pool's helpers that use the policy that was current when the session was opened.
///
/// A `Place` or a runtime's index is valid in one policy only, so whoever keeps one must use it with the session that
/// it was made for. If `helper.conf` changes meanwhile, the session continues under the old policy: its helpers stay as
/// long as the session does.
public final class HelperSession: Sendable {
    /// The helpers' release, and what their policy allows.
    public let welcome: Welcome
    private let policy: Int
    private let pool: HelperPool

    init(_ pool: HelperPool, _ policy: Int, _ welcome: Welcome) {
        self.pool = pool
        self.policy = policy
        self.welcome = welcome
    }

    deinit { pool.close(policy) }

    /// See `HelperPool.serviceManager`.
    public var serviceManager: Int32? { pool.serviceManager }

    /// The most helpers that work at once.
    public var most: Int { pool.most }

    /// Sends a request to a helper and returns its reply. A runtime's output is always inline in the reply.
    ///
    /// If a helper dies meanwhile, a second one is asked, and then a third, unless asking again could do harm.
    ///
    /// - Parameters:
    ///   - deadline: For the helper, 1 ms to 10 minutes from when it receives the request; then it answers `timedOut`.
    ///     If it does not, it is abandoned after the pool's margin.
    ///   - patience: The least time to wait for the reply before the margin begins, if longer than the deadline: a call
    ///     that is meant to be short may meet a slow disk.
    ///   - since: When the work that this call is part of began. While every helper is busy, work that began first
    ///     comes first: it ends sooner, and leaves the others less to search. With nil, the call precedes all of them.
    ///   - end: The latest time until which to wait for a helper; it also limits the deadline and the patience.
    /// - Throws: `allBusy` if no helper was free by `end`.
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
                // The helper ended before it was sent the request.
                continue
            }
        }
        return try await pool.callOnce(request, policy, deadline, patience, since, end)
    }
}

extension Request {
    /// Whether repeating the request is harmless if the end of the first is unknown. A second TERM may mean something
    /// else to a program than the first.
    fileprivate var mayBeRepeated: Bool {
        switch self {
        case .runtimeKill(_, _, let signal, _), .runtimeKillCgroups(_, _, let signal, _),
            .runtimeKillProcesses(_, _, let signal, _):
            signal == 9
        default: true
        }
    }
}
