#if DEBUG
    internal import Synchronization
#endif

/// Says that what follows may wait for a disk, the kernel or another process.
///
/// In a build for debugging it ends a process that has called `forbidBlockingTasks`, as podreapd does in its tests, on a thread that must
/// not wait: the event loop's, gRPC's, and every other that runs a task. In others it does nothing.
@inline(__always)
public func mayBlock(_ what: StaticString = #function) {
    #if DEBUG
        BlockingRule.check(what)
    #endif
}

/// Says of the calling thread whether it is one for what may block.
@inline(__always)
func mayBlockFromHere(_ may: Bool) {
    #if DEBUG
        let thread = threadNumber()
        BlockingRule.threads.withLock { threads in
            if may { _ = threads.insert(thread) } else { threads.remove(thread) }
        }
    #endif
}

/// From here on no task of this process may block its thread: it serves others.
public func forbidBlockingTasks() {
    #if DEBUG
        BlockingRule.isStrict.store(true, ordering: .relaxed)
    #endif
}

#if DEBUG
    enum BlockingRule {
        static let isStrict = Atomic(false)
        /// Those that are for what may block.
        static let threads = Mutex<Set<UInt>>([])

        static func check(_ what: StaticString) {
            guard isStrict.load(ordering: .relaxed) else { return }
            if threadNumber() == EventLoop.thread.load(ordering: .relaxed) {
                fatalError("\(what) may block the event loop")
            }
            if threadName().hasPrefix("NIO-") { fatalError("\(what) may block a thread of gRPC's") }
            if threads.withLock({ $0.contains(threadNumber()) }) { return }
            if isInTask() { fatalError("\(what) may block a thread of Swift's concurrency pool") }
        }
    }
#endif
