internal import EventLoop
internal import LinuxSystem
internal import SandboxRegistry
internal import Synchronization

/// Wakes calls that wait for other processes to release a sandbox. Waiting takes no thread; one check serves all.
final class LockWatch: Sendable {
    private struct State {
        /// The waiting calls by sandbox; at most one call of this process waits for each.
        var waiting: [String: CheckedContinuation<Bool, Never>] = [:]
        var isWatching = false
    }

    private let registry: Registry
    private let state = Mutex(State())
    /// nil if this user may have no more inotify instances (inotify(7)); the locks are then only polled.
    private let closes: Mutex<CloseWatch?> = Mutex(nil)

    init(_ registry: Registry) { self.registry = registry }

    /// Returns true as soon as nobody seems to work on the sandbox, or false at the deadline.
    func waitUntilFree(_ id: String, until deadline: ContinuousClock.Instant) async -> Bool {
        let alarm = Alarm(at: deadline) { [self] in
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: false)
        }
        defer { alarm.cancel() }
        return await withCheckedContinuation { continuation in
            let (isOver, isFirst) = state.withLock { state in
                if deadline <= .now { return (true, false) }
                state.waiting[id] = continuation
                defer { state.isWatching = true }
                return (false, !state.isWatching)
            }
            if isOver { continuation.resume(returning: false) }
            if isFirst { Task(executorPreference: EventLoop.preferred) { await self.watch() } }
        }
    }

    /// How often the locks are checked without a close event. A process that sees the filesystem mounted read-only
    /// causes no such event.
    private static let interval: Duration = .milliseconds(100)
    /// Delays of the checks after a close event, because a descriptor is closed just before its locks are released.
    private static let afterClose: [Duration] = [.zero, .microseconds(100), .microseconds(500), .milliseconds(2)]

    private func watch() async {
        repeat {
            let hasClosed = await nextClose(until: .now + Self.interval)
            for pause in hasClosed ? Self.afterClose : [.zero] {
                let began = ContinuousClock.now
                if pause > .zero { try? await Task.sleep(for: pause, tolerance: .zero, clock: .continuous) }
                await look()
                // Checks are made less often when they take long because many calls wait.
                let took = ContinuousClock.now - began
                if took > .milliseconds(5) { try? await Task.sleep(for: took * 4) }
            }
        } while hasMore()
    }

    private func hasMore() -> Bool {
        state.withLock { state in
            state.isWatching = !state.waiting.isEmpty
            return state.isWatching
        }
    }

    /// Returns whether somebody closed the lock file before the deadline.
    private func nextClose(until deadline: ContinuousClock.Instant) async -> Bool {
        let descriptor = await Threads.registry.run {
            self.closes.withLock { closes -> Int32? in
                if closes == nil { closes = CloseWatch() }
                return closes?.watch(self.registry.lockPath)
            }
        }
        guard let descriptor, let loop = try? EventLoop.shared.get() else {
            try? await Task.sleep(until: deadline, clock: .continuous)
            return false
        }
        guard await loop.readable(descriptor, until: deadline) else { return false }
        closes.withLock { $0?.drain() }
        return true
    }

    /// Wakes the calls whose sandboxes nobody seems to work on.
    private func look() async {
        let ids = state.withLock { Array($0.waiting.keys) }
        let registry = registry
        let free = await Threads.registry.run {
            ids.filter { id in
                // An error also wakes the waiting call, which then meets the error itself.
                (try? registry.isLocked(id)) != true
            }
        }
        for id in free { state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: true) }
    }
}
