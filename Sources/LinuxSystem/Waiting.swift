internal import CLinux
internal import CLinuxSystem
internal import Glibc

/// What one thread waits for (epoll(7)): descriptors, each reported once, a timer, and a bell. It is never closed.
package struct WaitSet: Sendable {
    package static let timerToken: UInt64 = 0
    package static let bellToken: UInt64 = 1

    private let set: Int32
    private let timer: Int32
    private let bell: Int32

    package init() throws(Errno) {
        var timer: Int32 = -1
        var bell: Int32 = -1
        set = try check(unsafe system_wait_set(&timer, &bell))
        self.timer = timer
        self.bell = bell
    }

    package func arm(_ descriptor: Int32, token: UInt64) throws(Errno) {
        try check(system_arm(set, descriptor, token))
    }

    package func setTimer(after time: Duration) {
        let (seconds, attoseconds) = min(max(.zero, time), .seconds(1 << 32)).components
        _ = system_set_timer(timer, UInt64(seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }

    /// Makes the current `wait` return, or the next one if no thread is waiting.
    package func ring() { system_ring(bell) }

    /// The tokens of what is ready. If `blocks` is true, waits until something is.
    package func wait(blocks: Bool) -> ArraySlice<UInt64> {
        var tokens = [UInt64](repeating: 0, count: 16)
        let count = unsafe system_wait(set, timer, blocks ? 1 : 0, &tokens, 16)
        return tokens[..<max(0, Int(count))]
    }
}

/// Blocks this thread.
package func pause(_ time: Duration) { usleep(UInt32(time / .microseconds(1))) }

extension Duration {
    /// The time in milliseconds as poll(2) takes it: from 0 to an hour.
    var forPoll: Int32 { Int32(max(0, min(self / .milliseconds(1), 3_600_000))) }
}

// MARK: Threads

/// A number that no other thread of this process has at the same time.
package func threadNumber() -> UInt { UInt(pthread_self()) }

/// The calling thread's name, as a debugger shows it.
func threadName() -> String {
    let bytes = try? Descriptor.open(Array("/proc/thread-self/comm".utf8)).read(atMost: 16)
    return String(decoding: bytes ?? [], as: UTF8.self)
}

/// Whether this thread is running a task now.
func isInTask() -> Bool { unsafe withUnsafeCurrentTask { unsafe $0 != nil } }

/// Runs a part of a task. Swift's concurrency runtime hands over each job once, and the job is gone afterwards.
package func runJob(_ job: UnownedJob, on executor: some TaskExecutor) {
    unsafe job.runSynchronously(on: executor.asUnownedTaskExecutor())
}

/// Resets this thread's timer slack, and so that of threads it starts: whoever started this process may have set so
/// much (PR_SET_TIMERSLACK) that timed waits would never end.
package func forgetTimerSlack() { _ = linux_prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0) }

/// Runs `body` on a thread of its own, with every signal blocked.
package func startThread(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    let box = unsafe Unmanaged.passRetained(ThreadBody(body))
    let result = unsafe system_thread(
        { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, box.toOpaque())
    if result < 0 { unsafe box.release() }
    try check(result)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
