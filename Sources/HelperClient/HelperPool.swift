internal import EventLoop
public import HelperProtocol
internal import Synchronization

/// The helpers of one orchestrator: each is started when there is work for it and handles one request at a time.
///
/// A call waits without blocking a thread, even while every helper is busy. Cancelling a task does not cancel its call:
/// the helper still carries out the request.
public final class HelperPool: Sendable {
    private let launch: HelperLaunch
    private let limits: HelperLimits
    private let roster: Mutex<HelperRoster>
    /// Starts that read the policy anew, by the file's stamp: concurrent callers with the same stamp share one start.
    private let renewals = Mutex<[PolicyStamp: Task<HelperError?, Never>]>([:])
    /// Threads for starting helpers: programs are read from a disk, which may block.
    private static let threads = BlockingPool("helpers", threads: 4)

    /// Starts no helper yet.
    public init(_ launch: HelperLaunch, limits: HelperLimits = HelperLimits()) {
        self.launch = launch
        self.limits = limits
        roster = Mutex(HelperRoster(most: limits.helpers))
    }

    deinit {
        for helper in roster.withLock({ $0.idleHelpers }) { Task.detached { await helper.end() } }
    }

    /// How many helpers were started so far. It can exceed the number that work at once, because some are replaced.
    public var started: Int { roster.withLock { $0.started } }

    /// The process that hands out the helpers' sockets; nil if helpers are started as a program, or before the first
    /// one. Helpers are in that process's mount namespace, or in this process's if they are started as a program.
    public var serviceManager: Int32? { roster.withLock { $0.listener } }

    /// The most helpers that work at once.
    public var most: Int { limits.helpers }

    /// Opens a session with helpers that use `helper.conf` as it is now; starts one if none was started since the file
    /// changed.
    ///
    /// - Parameter end: Until when to wait for the session; nil to wait as long as a start may take.
    public func session(until end: ContinuousClock.Instant? = nil) async throws(HelperError) -> HelperSession {
        let path = launch.policyPath
        let stamp = await Self.threads.run { PolicyStamp(path) }
        if !roster.withLock({ $0.hasPolicy }) { release(try await acquire(nil, nil, end)) }
        if let session = open(stamp) { return session }
        try await renew(stamp, end)
        guard let session = open(nil) else { throw .malformedReply("no Welcome") }
        return session
    }

    /// The helper's release, and what its policy allows; starts a helper if need be.
    public func welcome() async throws(HelperError) -> Welcome { try await session().welcome }

    /// Sends a request under the policy as it is now; see `HelperSession.call`.
    public func call(
        _ request: Request, deadline: Duration, patience: Duration = .zero, since: ContinuousClock.Instant? = nil
    ) async throws(HelperError) -> Reply {
        try await session().call(request, deadline: deadline, patience: patience, since: since)
    }

    /// Starts helpers in the background until there are `count`, so that the first calls need not wait for a start. If
    /// a start fails, those calls report why.
    public func warm(_ count: Int) {
        for _ in 0..<roster.withLock({ $0.warm(count) }) { startInBackground(for: nil) }
    }

    func callOnce(
        _ request: Request, _ policy: Int, _ deadline: Duration, _ patience: Duration,
        _ since: ContinuousClock.Instant?, _ end: ContinuousClock.Instant?
    ) async throws(HelperError) -> Reply {
        let member = try await acquire(policy, since, end)
        let left = end.map { max(.milliseconds(1), $0 - .now) } ?? max(deadline, patience)
        let time = min(max(.milliseconds(1), min(deadline, left)), .longestDeadline)
        do throws(HelperError) {
            let limit = max(time, min(patience, left)) + limits.margin
            let reply = try await member.helper.exchange(request, deadline: time, within: limit)
            release(member)
            return reply
        } catch {
            retire(member, after: error)
            throw error
        }
    }

    // MARK: The policy

    private func open(_ stamp: PolicyStamp?) -> HelperSession? {
        roster.withLock { $0.openSession(stamp) }.map { HelperSession(self, $0.policy, $0.welcome) }
    }

    func close(_ policy: Int) { perform(roster.withLock { $0.closeSession(of: policy) }) }

    /// Starts a helper, which reads the policy as it is now.
    private func renew(_ stamp: PolicyStamp, _ end: ContinuousClock.Instant?) async throws(HelperError) {
        let began = ContinuousClock.now
        let task = renewals.withLock { renewals in
            if let task = renewals[stamp] { return task }
            roster.withLock { $0.probe() }
            let task = Task.detached { [self] () -> HelperError? in
                defer { self.renewals.withLock { $0[stamp] = nil } }
                return await start(for: nil)
            }
            renewals[stamp] = task
            return task
        }
        let error: HelperError?
        if let end {
            guard let ended = await within(end, { await task.value }) else { throw .allBusy(after: .now - began) }
            error = ended
        } else {
            error = await task.value
        }
        if let error { throw error }
    }

    // MARK: Helpers

    private func acquire(
        _ policy: Int?, _ since: ContinuousClock.Instant?, _ end: ContinuousClock.Instant?
    ) async throws(HelperError) -> HelperRoster.Member {
        if let member = roster.withLock({ $0.takeIdle(policy) }) { return member }
        let began = ContinuousClock.now
        let ticket = roster.withLock { $0.ticket() }
        let alarm = end.map { end in
            Alarm(at: end) { [self] in
                let late = HelperRoster.Grant.fail(.allBusy(after: .now - began))
                roster.withLock { $0.leave(ticket) }?.resume(returning: late)
            }
        }
        defer { alarm?.cancel() }
        let grant = await withCheckedContinuation { (continuation: CheckedContinuation<HelperRoster.Grant, Never>) in
            if let end, end <= .now { return continuation.resume(returning: .fail(.allBusy(after: .now - began))) }
            let waiter = HelperRoster.Waiter(ticket: ticket, since: since, policy: policy, continuation: continuation)
            perform(roster.withLock { $0.enter(waiter) })
        }
        switch grant {
        case .use(let member): return member
        case .fail(let error): throw error
        }
    }

    private func release(_ member: HelperRoster.Member) { perform(roster.withLock { $0.release(member) }) }

    private func perform(_ orders: HelperRoster.Orders) {
        for (continuation, grant) in orders.grants { continuation.resume(returning: grant) }
        for helper in orders.ends { Task.detached { await helper.end() } }
        for ticket in orders.starts { startInBackground(for: ticket) }
    }

    private func startInBackground(for ticket: Int?) { Task.detached { await self.start(for: ticket) } }

    /// Starts a helper that the roster already counts, and gives it to a waiter. Returns the error if that fails.
    @discardableResult
    private func start(for ticket: Int?) async -> HelperError? {
        do throws(HelperError) {
            let member: HelperRoster.Member
            do throws(HelperError) { member = try await started() } catch .policyChanged {
                // The helper read the policy just before the file was changed.
                member = try await started()
            }
            perform(roster.withLock { $0.hasStarted(member) })
            return nil
        } catch {
            perform(roster.withLock { $0.hasNotStarted(error, for: ticket) })
            return error
        }
    }

    private func started() async throws(HelperError) -> HelperRoster.Member {
        let hanging = roster.withLock { $0.abandoned }
        guard hanging < max(1, limits.abandoned) else { throw HelperError.tooManyAbandoned(hanging) }
        let order = roster.withLock { $0.nextStart() }
        let (helper, stamp) = try await Self.threads.run { [launch] () throws(HelperError) in
            // Taken before the helper reads the file, so that a later change is not missed.
            let stamp = PolicyStamp(launch.policyPath)
            return (try HelperConnection(launch), stamp)
        }
        roster.withLock { roster in
            roster.started += 1
            roster.listener = helper.listener
        }
        do throws(HelperError) {
            let welcome = try await helper.greet(launch, within: limits.start)
            let adopted = roster.withLock { roster in
                Result { () throws(HelperError) in try roster.adopt(welcome, stamp, order: order) }
            }
            return HelperRoster.Member(helper: helper, policy: try adopted.get())
        } catch {
            Task.detached { await helper.end() }
            throw error
        }
    }

    private func retire(_ member: HelperRoster.Member, after error: HelperError) {
        let helper = member.helper
        guard case .noReply = error else {
            // Whatever ended this helper may also have ended the idle ones, though not at the same instant.
            Task.detached { await helper.end() }
            return perform(roster.withLock { $0.remove(member, withIdle: true) })
        }
        let orders = roster.withLock { roster in
            roster.abandoned += 1
            return roster.remove(member, withIdle: false)
        }
        perform(orders)
        Task.detached {
            await helper.end()
            self.roster.withLock { $0.abandoned -= 1 }
        }
    }
}

extension HelperLaunch {
    /// The policy file that a helper reads: the installed one, unless the helper is started with another path.
    fileprivate var policyPath: String {
        if case .program(_, let arguments) = self, let path = arguments.first {
            path
        } else {
            "/etc/podreap/helper.conf"
        }
    }
}
