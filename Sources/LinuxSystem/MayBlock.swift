#if DEBUG
    internal import Synchronization
#endif

/// Declares that the code that follows may wait for a disk, the kernel or another process.
///
/// A debug build ends the process here if the process has called `forbidBlockingTasks`, as all do in their tests,
/// and the thread must not wait: the event loop's thread, gRPC's threads, and every other thread that is running a
/// task, except a `BlockingPool`'s. Other builds do nothing.
@inline(__always)
package func mayBlock(_ what: StaticString = #function) {
    #if DEBUG
        BlockingRule.check(what)
    #endif
}

/// Declares whether the calling thread is meant for work that may block.
@inline(__always)
package func mayBlockFromHere(_ may: Bool) {
    #if DEBUG
        let thread = threadNumber()
        BlockingRule.threads.withLock { threads in
            if may { _ = threads.insert(thread) } else { threads.remove(thread) }
        }
    #endif
}

/// Declares that the calling thread must never block, whatever it runs.
package func mustNotBlockFromHere() {
    #if DEBUG
        BlockingRule.eventLoop.store(threadNumber(), ordering: .relaxed)
    #endif
}

/// From here on, no task of this process may block its thread, because the thread serves other tasks too.
package func forbidBlockingTasks(_ areForbidden: Bool = true) {
    #if DEBUG
        BlockingRule.isStrict.store(areForbidden, ordering: .relaxed)
    #endif
}

#if DEBUG
    enum BlockingRule {
        static let isStrict = Atomic(false)
        /// The number of the event loop's thread; 0 if there is none.
        static let eventLoop = Atomic<UInt>(0)
        /// The threads that are meant for work that may block.
        static let threads = Mutex<Set<UInt>>([])

        static func check(_ what: StaticString) {
            guard isStrict.load(ordering: .relaxed) else { return }
            if threadNumber() == eventLoop.load(ordering: .relaxed) {
                fatalError("\(what) may block the event loop")
            }
            if threadName().hasPrefix("NIO-") { fatalError("\(what) may block a thread of gRPC's") }
            if threads.withLock({ $0.contains(threadNumber()) }) { return }
            if isInTask() { fatalError("\(what) may block a thread of Swift's concurrency pool") }
        }
    }
#endif
