internal import EventLoop
internal import SandboxRegistry
internal import Synchronization

/// Tells calls that wait for other processes when those let go. Waiting takes no thread, and one look serves all who wait.
final class LockWatch: Sendable {
    private struct State {
        /// By sandbox: of this process one call waits for each at most.
        var waiting: [String: CheckedContinuation<Bool, Never>] = [:]
        var isWatching = false
    }

    private let registry: Registry
    private let state = Mutex(State())
    /// Nil where the kernel has no more of them for this user: then it is looked now and then alone.
    private let closes: Mutex<CloseWatch?> = Mutex(nil)

    init(_ registry: Registry) { self.registry = registry }

    /// True as soon as nobody seems to work on the sandbox any more; false at the deadline.
    func waitUntilFree(_ id: String, until deadline: ContinuousClock.Instant) async -> Bool {
        let timer = Task {
            // Cancelled, it is over: whoever waits for the sandbox by then is another.
            guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: false)
        }
        defer { timer.cancel() }
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

    /// How often it is looked where nothing is heard: a process on a filesystem that is mounted read-only closes silently.
    private static let interval: Duration = .milliseconds(100)
    /// A descriptor is closed right before its locks go.
    private static let afterClose: [Duration] = [.zero, .microseconds(100), .microseconds(500), .milliseconds(2)]

    private func watch() async {
        repeat {
            let hasClosed = await nextClose(until: .now + Self.interval)
            for pause in hasClosed ? Self.afterClose : [.zero] {
                let began = ContinuousClock.now
                if pause > .zero { try? await Task.sleep(for: pause, tolerance: .zero, clock: .continuous) }
                await look()
                // Many who wait are looked for less often.
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

    /// Whether somebody has closed the lock file.
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

    /// Wakes those whose sandboxes nobody seems to work on.
    private func look() async {
        let ids = state.withLock { Array($0.waiting.keys) }
        let registry = registry
        let free = await Threads.registry.run {
            ids.filter { id in
                // Whoever waits hears what is wrong when he tries.
                (try? registry.isLocked(id)) != true
            }
        }
        for id in free { state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: true) }
    }
}
