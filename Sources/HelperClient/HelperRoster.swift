internal import HelperProtocol

/// The helpers, the waiting calls, and the policy that each uses: the pool's decisions, as a value.
///
/// A helper reads its policy once, when it starts. Places and runtimes are indices into that policy, so a call goes
/// only to helpers of the policy that it was made for; new work uses the current policy.
struct HelperRoster {
    /// A helper, and the number of the policy that it uses.
    struct Member: Sendable {
        let helper: HelperConnection
        let policy: Int
    }

    enum Grant: Sendable {
        case use(Member)
        case fail(HelperError)
    }

    struct Waiter {
        let ticket: Int
        /// Nil precedes all others.
        let since: ContinuousClock.Instant?
        /// Nil if it waits for the current policy.
        let policy: Int?
        let continuation: CheckedContinuation<Grant, Never>
        /// Whether a helper is being started for this waiter, which receives the error if that fails.
        var hasStart = false
    }

    /// What to do once the lock is released.
    struct Orders {
        var grants: [(continuation: CheckedContinuation<Grant, Never>, grant: Grant)] = []
        var ends: [HelperConnection] = []
        /// Helpers to start, each for the waiter with this ticket, or for nobody if nil.
        var starts: [Int?] = []
    }

    private struct Policy {
        let welcome: Welcome
        var stamp: PolicyStamp
        /// The number of the start that first read this policy.
        let order: Int
        var sessions = 0
        /// The number of idle and busy helpers.
        var alive = 0
    }

    let most: Int
    /// The helper used last is used next.
    private var idle: [Member] = []
    private var waiting: [Waiter] = []
    private var policies: [Int: Policy] = [:]
    private var current: Int?
    private var starting = 0
    private var lastTicket = 0
    private var lastPolicy = 0
    private(set) var lastStart = 0
    var abandoned = 0
    var started = 0
    var listener: Int32?

    init(most: Int) { self.most = most }

    var hasPolicy: Bool { current != nil }
    var idleHelpers: [HelperConnection] { idle.map(\.helper) }

    private var aliveNow: Int { current.flatMap { policies[$0]?.alive } ?? 0 }
    private var hasPlace: Bool { aliveNow + starting < most }

    mutating func ticket() -> Int {
        lastTicket += 1
        return lastTicket
    }

    // MARK: Sessions

    /// Opens a session under the current policy; nil if there is none, or if it was not read from the file as it is
    /// now.
    mutating func openSession(_ stamp: PolicyStamp?) -> (policy: Int, welcome: Welcome)? {
        guard let current, let policy = policies[current], stamp == nil || stamp == policy.stamp else { return nil }
        policies[current]?.sessions += 1
        return (current, policy.welcome)
    }

    mutating func closeSession(of policy: Int) -> Orders {
        policies[policy]?.sessions -= 1
        var orders = Orders()
        dropUnused(&orders)
        return orders
    }

    /// Returns the policy of a helper that has just started.
    ///
    /// - Parameters:
    ///   - stamp: The stamp of the policy file right before the start.
    ///   - order: The number of the start.
    /// - Throws: `policyChanged` if the helper read a policy that is no longer current.
    mutating func adopt(_ welcome: Welcome, _ stamp: PolicyStamp, order: Int) throws(HelperError) -> Int {
        if let current, let policy = policies[current] {
            if policy.welcome.isOfSamePolicy(as: welcome) {
                policies[current]?.stamp = stamp
                policies[current]?.alive += 1
                return current
            }
            guard order > policy.order else { throw .policyChanged }
        }
        lastPolicy += 1
        current = lastPolicy
        policies[lastPolicy] = Policy(welcome: welcome, stamp: stamp, order: order, alive: 1)
        return lastPolicy
    }

    // MARK: Helpers

    /// Takes an idle helper of a policy; nil if there is none.
    mutating func takeIdle(_ policy: Int?) -> Member? {
        guard let wanted = policy ?? current else { return nil }
        while let index = idle.lastIndex(where: { $0.policy == wanted }) {
            let member = idle.remove(at: index)
            if member.helper.isRunning { return member }
            // The helper has ended meanwhile.
            policies[wanted]?.alive -= 1
        }
        return nil
    }

    mutating func enter(_ waiter: Waiter) -> Orders {
        var orders = Orders()
        if let member = takeIdle(waiter.policy) {
            orders.grants.append((waiter.continuation, .use(member)))
        } else {
            waiting.append(waiter)
            balance(&orders)
        }
        return orders
    }

    /// Removes a waiter; nil if it no longer waits.
    mutating func leave(_ ticket: Int) -> CheckedContinuation<Grant, Never>? {
        waiting.firstIndex { $0.ticket == ticket }.map { waiting.remove(at: $0).continuation }
    }

    /// How many helpers to start, with no waiter, so that the pool has `count`.
    mutating func warm(_ count: Int) -> Int {
        let missing = max(0, min(count, most) - aliveNow - starting)
        starting += missing
        return missing
    }

    /// Counts a start that reads the policy anew, even if the pool is full.
    mutating func probe() { starting += 1 }

    mutating func nextStart() -> Int {
        lastStart += 1
        return lastStart
    }

    mutating func hasStarted(_ member: Member) -> Orders {
        starting -= 1
        var orders = Orders()
        hand(member, &orders)
        return orders
    }

    mutating func hasNotStarted(_ error: HelperError, for ticket: Int?) -> Orders {
        starting -= 1
        var orders = Orders()
        if let ticket, let continuation = leave(ticket) { orders.grants.append((continuation, .fail(error))) }
        balance(&orders)
        return orders
    }

    mutating func release(_ member: Member) -> Orders {
        var orders = Orders()
        hand(member, &orders)
        return orders
    }

    /// Removes a helper that can no longer be used.
    ///
    /// - Parameter withIdle: Whether to end the idle helpers too.
    mutating func remove(_ member: Member, withIdle: Bool) -> Orders {
        var orders = Orders()
        policies[member.policy]?.alive -= 1
        if withIdle {
            for other in idle { policies[other.policy]?.alive -= 1 }
            orders.ends += idle.map(\.helper)
            idle = []
        }
        balance(&orders)
        return orders
    }

    /// Gives a helper to a waiter, if there is one.
    private mutating func hand(_ member: Member, _ orders: inout Orders) {
        let suited = waiting.indices.filter { (waiting[$0].policy ?? current) == member.policy }
        if let next = suited.min(by: { Self.isBefore(waiting[$0].since, waiting[$1].since) }) {
            orders.grants.append((waiting.remove(at: next).continuation, .use(member)))
        } else if member.policy == current, aliveNow > most {
            policies[member.policy]?.alive -= 1
            orders.ends.append(member.helper)
        } else {
            idle.append(member)
        }
        dropUnused(&orders)
        balance(&orders)
    }

    /// Orders waiters by when their work began, nil first, and equal ones by when they came.
    private static func isBefore(_ left: ContinuousClock.Instant?, _ right: ContinuousClock.Instant?) -> Bool {
        guard let left, let right else { return left == nil && right != nil }
        return left < right
    }

    /// Orders as many starts as there are waiters for and the limit allows, and fails waiters for which no helper can
    /// come.
    private mutating func balance(_ orders: inout Orders) {
        waiting.removeAll { waiter in
            guard let policy = waiter.policy, policy != current, (policies[policy]?.alive ?? 0) <= 0 else {
                return false
            }
            orders.grants.append((waiter.continuation, .fail(.policyChanged)))
            return true
        }
        while hasPlace, waiting.count(where: { ($0.policy ?? current) == current }) > starting {
            let next = waiting.firstIndex { ($0.policy ?? current) == current && !$0.hasStart }
            if let next { waiting[next].hasStart = true }
            orders.starts.append(next.map { waiting[$0].ticket })
            starting += 1
        }
    }

    /// Ends idle helpers of old policies that no session uses any more.
    private mutating func dropUnused(_ orders: inout Orders) {
        for (number, policy) in policies where number != current && policy.sessions <= 0 {
            let unused = idle.filter { $0.policy == number }
            orders.ends += unused.map(\.helper)
            idle.removeAll { $0.policy == number }
            policies[number]?.alive -= unused.count
            if policy.alive <= unused.count { policies[number] = nil }
        }
    }
}

extension Welcome {
    /// Whether places, runtimes and messages have the same meaning for both helpers.
    fileprivate func isOfSamePolicy(as other: Welcome) -> Bool {
        roots == other.roots && runtimes == other.runtimes && version == other.version
    }
}
