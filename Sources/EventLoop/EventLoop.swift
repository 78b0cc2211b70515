package import LinuxSystem
internal import Synchronization

/// One thread that waits until a descriptor is readable or a deadline has passed, and runs the tasks that prefer it.
///
/// An event that such a task waits for wakes this thread, which then continues the task, so that no other thread is
/// woken. This suits many small steps that mostly wait. Work that blocks (on a disk, a lock or another process) would
/// delay all other tasks here, so it must be done elsewhere.
public final class EventLoop: TaskExecutor {
    /// Started at the first use. A failure (no descriptors, no threads) is permanent.
    package static let shared: Result<EventLoop, Errno> = {
        do throws(Errno) {
            let loop = try EventLoop()
            try startThread {
                mustNotBlockFromHere()
                while true { loop.turn() }
            }
            return .success(loop)
        } catch {
            return .failure(error)
        }
    }()

    /// The executor for a task to prefer; nil if the loop could not be started, and the task then runs like any other.
    public static var preferred: (any TaskExecutor)? { try? shared.get() }

    private struct Wait {
        /// Called once: with true when the descriptor is readable, with false when the deadline has passed.
        var end: @Sendable (Bool) -> Void
        var deadline: ContinuousClock.Instant
    }

    private struct State {
        var waits: [UInt64: Wait] = [:]
        var lastToken = WaitSet.bellToken
        /// When the timer fires; nil if it is off. It may fire too early, but at most a millisecond too late.
        var timer: ContinuousClock.Instant?
    }

    private struct Jobs {
        var pending: [UnownedJob] = []
        /// Whether the loop waits, and looks at no job before something is ready.
        var isWaiting = false
    }

    private let set: WaitSet
    private let state = Mutex(State())
    private let jobs = Mutex(Jobs())

    private init() throws(Errno) { set = try WaitSet() }

    /// Returns true as soon as the descriptor is readable or its other end is gone; false once the deadline has passed.
    ///
    /// - Parameters:
    ///   - descriptor: Must stay open until this returns.
    ///   - endsWithTask: Whether to return false also as soon as the task is cancelled.
    public func readable(
        _ descriptor: Int32, until deadline: ContinuousClock.Instant, endsWithTask: Bool = false
    ) async -> Bool {
        let token = state.withLock { state in
            state.lastToken += 1
            return state.lastToken
        }
        guard endsWithTask else { return await wait(token, descriptor, deadline) }
        return await withTaskCancellationHandler {
            await wait(token, descriptor, deadline, endsAtOnce: { Task.isCancelled })
        } onCancel: {
            finish(token, ready: false)
        }
    }

    private func wait(
        _ token: UInt64, _ descriptor: Int32, _ deadline: ContinuousClock.Instant, endsAtOnce: () -> Bool = { false }
    ) async -> Bool {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                state.waits[token] = Wait(end: { continuation.resume(returning: $0) }, deadline: deadline)
                require(timer: deadline, in: &state)
            }
            do throws(Errno) {
                try set.arm(descriptor, token: token)
            } catch {
                // The wait does not end at once: a caller that tries again after each wait would do nothing else.
                let soon = min(deadline, .now + .milliseconds(100))
                state.withLock { state in
                    state.waits[token]?.deadline = soon
                    require(timer: soon, in: &state)
                }
            }
            // The task may have been cancelled before there was a wait to end.
            if endsAtOnce() { finish(token, ready: false) }
        }
    }

    private func finish(_ token: UInt64, ready: Bool) {
        let wait = state.withLock { $0.waits.removeValue(forKey: token) }
        wait?.end(ready)
    }

    /// Has this thread call `body` at the deadline; returns what takes that back.
    func alarm(at deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.lastToken += 1
            state.waits[state.lastToken] = Wait(end: { _ in body() }, deadline: deadline)
            require(timer: deadline, in: &state)
            return state.lastToken
        }
    }

    /// Lets go of the closure outside of the lock: it may hold the last reference to what takes back another alarm.
    func takeBack(_ token: UInt64) { _ = state.withLock { $0.waits.removeValue(forKey: token) } }

    /// Called by Swift's concurrency runtime to have this thread run a part of a task.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isWaiting = jobs.withLock { jobs in
            jobs.pending.append(job)
            defer { jobs.isWaiting = false }
            return jobs.isWaiting
        }
        if isWaiting { set.ring() }
    }

    private func turn() {
        let pending = jobs.withLock { jobs in
            defer { jobs.pending = [] }
            jobs.isWaiting = jobs.pending.isEmpty
            return jobs.pending
        }
        for job in pending { runJob(job, on: self) }
        let ready = set.wait(blocks: pending.isEmpty)
        jobs.withLock { $0.isWaiting = false }
        for token in ready where token > WaitSet.bellToken { finish(token, ready: true) }
        // Last, so that a descriptor that is ready at its deadline counts as ready.
        if ready.contains(WaitSet.timerToken) { expire() }
    }

    private func expire() {
        let late = state.withLock { state in
            let now = ContinuousClock.now
            let late = state.waits.filter { $0.value.deadline <= now }
            for token in late.keys { state.waits[token] = nil }
            state.timer = nil
            // All waits are searched each time, so no more often than every millisecond.
            if let next = state.waits.values.lazy.map(\.deadline).min() {
                set(timer: max(next, now + .milliseconds(1)), in: &state)
            }
            return late
        }
        for wait in late.values { wait.end(false) }
    }

    private func require(timer deadline: ContinuousClock.Instant, in state: inout State) {
        if state.timer.map({ deadline < $0 }) ?? true { set(timer: deadline, in: &state) }
    }

    private func set(timer deadline: ContinuousClock.Instant, in state: inout State) {
        state.timer = deadline
        set.setTimer(after: deadline - .now)
    }
}
