public import HelperProtocol
internal import Synchronization

/// The helpers of one orchestrator: started when there is work for them, one request in flight each.
///
/// Calls wait without blocking a thread, also while every helper is busy. Cancelling a task does not cancel its call: what
/// the helper was asked to do happens.
public final class HelperPool: Sendable {
    private enum Grant {
        case use(HelperProcess)
        case start
    }

    private struct State {
        /// The one used last is used next.
        var idle: [HelperProcess] = []
        /// Idle, busy and starting ones.
        var live = 0
        /// Those that start in the background, for whoever comes first.
        var warming = 0
        var abandoned = 0
        var waiting: [(since: ContinuousClock.Instant?, continuation: CheckedContinuation<Grant, Never>)] = []
        var welcome: Welcome?
        var started = 0
        var listener: Int32?

        /// Whose work began first, of whose own calls the first; nil where nobody waits.
        mutating func next() -> CheckedContinuation<Grant, Never>? {
            waiting.indices.min { isBefore(waiting[$0].since, waiting[$1].since) }
                .map { waiting.remove(at: $0).continuation }
        }

        private func isBefore(_ left: ContinuousClock.Instant?, _ right: ContinuousClock.Instant?) -> Bool {
            guard let left, let right else { return left == nil && right != nil }
            return left < right
        }
    }

    private let launch: HelperLaunch
    private let limits: HelperLimits
    private let state = Mutex(State())

    /// Nothing is started yet.
    public init(_ launch: HelperLaunch, limits: HelperLimits = HelperLimits()) {
        self.launch = launch
        self.limits = limits
    }

    deinit {
        let idle = state.withLock { $0.idle }
        for helper in idle { Task.detached { await helper.end() } }
    }

    /// What the helper is and what its policy lets it do; starts one if none was started yet.
    public func welcome() async throws(HelperError) -> Welcome {
        if let known = state.withLock({ $0.welcome }) { return known }
        release(try await acquire(since: nil))
        guard let known = state.withLock({ $0.welcome }) else { throw .malformedReply("no Welcome") }
        return known
    }

    /// How many helpers were started up to now; more than work at once: some had to be replaced.
    public var started: Int { state.withLock { $0.started } }

    /// The process that hands the helpers' sockets out; nil for a program, and before the first helper. Helpers are in its mount
    /// namespace, or in this process's.
    public var serviceManager: Int32? { state.withLock { $0.listener } }

    /// The most helpers that work at once.
    public var most: Int { limits.helpers }

    /// Starts helpers in the background until there are `count`, so that the first calls need not wait for it. Where
    /// that fails, those calls say why.
    public func warm(_ count: Int) {
        let missing = state.withLock { state in
            let missing = max(0, min(count, limits.helpers) - state.live)
            state.live += missing
            state.warming += missing
            return missing
        }
        for _ in 0..<missing {
            Task.detached { if let helper = try? await self.start(warming: true) { self.release(helper) } }
        }
    }

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
    public func call(
        _ request: Request, deadline: Duration, patience: Duration = .zero, since: ContinuousClock.Instant? = nil
    ) async throws(HelperError) -> Reply {
        for _ in 0..<2 {
            do throws(HelperError) {
                return try await callOnce(request, deadline, patience, since)
            } catch .died where request.mayBeRepeated {
                continue
            } catch .endedAtStart(_, .signalled) {
                // It was asked nothing yet.
                continue
            }
        }
        return try await callOnce(request, deadline, patience, since)
    }

    private func callOnce(
        _ request: Request, _ deadline: Duration, _ patience: Duration, _ since: ContinuousClock.Instant?
    ) async throws(HelperError) -> Reply {
        let helper = try await acquire(since: since)
        let milliseconds = min(max(1, deadline / .milliseconds(1)), Double(Limits.deadlineMilliseconds))
        do throws(HelperError) {
            let limit = max(.milliseconds(milliseconds), patience) + limits.margin
            let reply = try await helper.exchange(request, milliseconds: UInt32(milliseconds), within: limit)
            release(helper)
            return reply
        } catch {
            retire(helper, after: error)
            throw error
        }
    }

    private func acquire(since: ContinuousClock.Instant?) async throws(HelperError) -> HelperProcess {
        let grant = await withCheckedContinuation { continuation in
            let grant: Grant? = state.withLock { state in
                // One that somebody has killed meanwhile is of no use.
                while let helper = state.idle.popLast() {
                    if helper.isRunning { return .use(helper) }
                    state.live -= 1
                }
                // One that is about to be ready comes sooner than another, and two that start at once delay each other.
                guard state.live < limits.helpers, state.warming <= state.waiting.count else {
                    state.waiting.append((since, continuation))
                    return nil
                }
                state.live += 1
                return .start
            }
            if let grant { continuation.resume(returning: grant) }
        }
        switch grant {
        case .use(let helper): return helper
        case .start: return try await start()
        }
    }

    /// Starts a helper in a place that is counted already.
    private func start(warming: Bool = false) async throws(HelperError) -> HelperProcess {
        do throws(HelperError) {
            let hanging = state.withLock { $0.abandoned }
            guard hanging < max(1, limits.abandoned) else { throw HelperError.tooManyAbandoned(hanging) }
            // The event loop's thread does not wait until a program is read from the disk.
            let made = await Task.detached { [launch] in
                Result { () throws(HelperError) in try HelperProcess(launch) }
            }.value
            let helper = try made.get()
            state.withLock { state in
                state.started += 1
                state.listener = helper.listener
            }
            do throws(HelperError) {
                try check(await helper.greet(launch, within: limits.start))
            } catch {
                Task.detached { await helper.end() }
                throw error
            }
            if warming { state.withLock { $0.warming -= 1 } }
            return helper
        } catch {
            // Before its place goes to who waits: nobody may wait for this one any more.
            if warming { state.withLock { $0.warming -= 1 } }
            leavePlace()
            throw error
        }
    }

    /// Places are indices into the first helper's roots, so every other must have the same.
    private func check(_ welcome: Welcome) throws(HelperError) {
        let first = state.withLock { state in
            if state.welcome == nil { state.welcome = welcome }
            return state.welcome
        }
        guard welcome.roots == first?.roots, welcome.runtimes == first?.runtimes else { throw .policyChanged }
    }

    private func release(_ helper: HelperProcess) {
        let next = state.withLock { state -> CheckedContinuation<Grant, Never>? in
            if let next = state.next() { return next }
            state.idle.append(helper)
            return nil
        }
        next?.resume(returning: .use(helper))
    }

    private func retire(_ helper: HelperProcess, after error: HelperError) {
        guard case .noReply = error else {
            // What ended this one may have ended those that wait for work too, and not all at the same instant.
            let idle = state.withLock { state in
                defer { state.idle = [] }
                state.live -= state.idle.count
                return state.idle
            }
            for helper in [helper] + idle { Task.detached { await helper.end() } }
            return leavePlace()
        }
        state.withLock { $0.abandoned += 1 }
        leavePlace()
        Task.detached {
            await helper.end()
            self.state.withLock { $0.abandoned -= 1 }
        }
    }

    /// Gives a helper's place to who waits for one.
    private func leavePlace() {
        let next = state.withLock { state -> CheckedContinuation<Grant, Never>? in
            if let next = state.next() { return next }
            state.live -= 1
            return nil
        }
        next?.resume(returning: .start)
    }
}

extension Request {
    /// Whether a second request after an unknown end of the first does no harm. To a program, a second TERM may mean
    /// something else than the first.
    var mayBeRepeated: Bool {
        switch self {
        case .runtimeKill(_, _, let signal, _), .runtimeKillCgroups(_, _, let signal, _): signal == 9
        default: true
        }
    }
}
