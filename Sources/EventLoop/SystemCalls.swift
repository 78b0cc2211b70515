// The only file of this module with unsafe code: wrappers of CClient.h and of Swift's concurrency runtime.

internal import CLinux
internal import Glibc

/// The error number of a failed system call (errno(3)).
public struct EventLoopError: Error, Equatable, Sendable {
    public let number: Int32

    fileprivate static func check(_ result: Int32) throws(EventLoopError) -> Int32 {
        guard result >= 0 else { throw EventLoopError(number: -result) }
        return result
    }
}

/// What one thread waits for (epoll(7)): descriptors, each reported once, a timer, and a bell. It is never closed.
struct WaitSet: Sendable {
    static let timerToken: UInt64 = 0
    static let bellToken: UInt64 = 1

    private let set: Int32
    private let timer: Int32
    private let bell: Int32

    init() throws(EventLoopError) {
        var timer: Int32 = -1
        var bell: Int32 = -1
        set = try EventLoopError.check(unsafe client_wait_set(&timer, &bell))
        self.timer = timer
        self.bell = bell
    }

    func arm(_ descriptor: Int32, token: UInt64) throws(EventLoopError) {
        _ = try EventLoopError.check(client_arm(set, descriptor, token))
    }

    func setTimer(nanoseconds: UInt64) { _ = client_set_timer(timer, nanoseconds) }

    /// Makes the current `wait` return, or the next one if no thread is waiting.
    func ring() { client_ring(bell) }

    /// The tokens of what is ready. If `blocks` is true, waits until something is.
    func wait(blocks: Bool) -> ArraySlice<UInt64> {
        var tokens = [UInt64](repeating: 0, count: 16)
        let count = unsafe client_wait(set, timer, blocks ? 1 : 0, &tokens, 16)
        return tokens[..<max(0, Int(count))]
    }
}

/// A number that no other thread of this process has at the same time.
func threadNumber() -> UInt { UInt(pthread_self()) }

/// The calling thread's name, as a debugger shows it.
func threadName() -> String {
    let file = unsafe open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = unsafe read(file, &bytes, bytes.count)
    return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
}

/// Whether this thread is running a task now.
func isInTask() -> Bool { unsafe withUnsafeCurrentTask { unsafe $0 != nil } }

/// Writes all of a text, however long that takes; text that a closed pipe does not accept is lost.
package func writeAll(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN {
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&wait, 1, -1)
            continue
        }
        guard count > 0 else { return }
        bytes = bytes.dropFirst(count)
    }
}

/// Runs a part of a task. Swift's concurrency runtime hands over each job once, and the job is gone afterwards.
func runJob(_ job: UnownedJob, on executor: some TaskExecutor) {
    unsafe job.runSynchronously(on: executor.asUnownedTaskExecutor())
}

/// Resets this thread's timer slack, and so that of threads it starts: whoever started this process may have set so
/// much (PR_SET_TIMERSLACK) that timed waits would never end.
public func forgetTimerSlack() { client_forget_slack() }

/// Runs `body` on a thread of its own, with every signal blocked.
func startThread(_ body: @escaping @Sendable () -> Void) throws(EventLoopError) {
    let box = unsafe Unmanaged.passRetained(ThreadBody(body))
    let result = unsafe client_thread(
        { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, box.toOpaque())
    if result < 0 { unsafe box.release() }
    _ = try EventLoopError.check(result)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
