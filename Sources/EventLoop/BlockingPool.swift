internal import Dispatch
internal import LinuxSystem
internal import Synchronization

/// A bounded number of threads for one kind of work that may block. Work that blocks holds up no other kind of work.
///
/// When all threads are busy, work waits in memory, first come first served. Threads exist only while there is work.
/// Dispatch's own queues would not suit: they share 255 threads, and work beyond that waits for ever if these threads
/// wait for it.
public final class BlockingPool: Sendable {
    private struct State {
        var pending = Queue<@Sendable () -> Void>()
        var running = 0
    }

    private let name: String
    private let threads: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: The name that a debugger shows.
    ///   - threads: At least 1.
    public init(_ name: String, threads: Int) {
        self.name = name
        self.threads = max(1, threads)
    }

    /// Runs `body` on one of the threads and returns its result.
    public func run<Value: Sendable, Failure>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            start { continuation.resume(returning: Result(catching: body)) }
        }
        return try result.get()
    }

    /// Runs `body` on one of the threads without waiting for it.
    public func start(_ body: @escaping @Sendable () -> Void) {
        let isFirst = state.withLock { state in
            state.pending.append(body)
            guard state.running < threads else { return false }
            state.running += 1
            return true
        }
        if isFirst { DispatchQueue(label: "podreap.\(name)").async { self.work() } }
    }

    private func work() {
        mayBlockFromHere(true)
        defer { mayBlockFromHere(false) }
        while true {
            let next = state.withLock { state in
                let next = state.pending.popFirst()
                if next == nil { state.running -= 1 }
                return next
            }
            guard let next else { return }
            next()
        }
    }
}

/// A task that prefers this executor may block, too.
extension BlockingPool: TaskExecutor {
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        start { runJob(job, on: self) }
    }
}

/// A first-in, first-out queue. Removing the first element does not move the others each time.
public struct Queue<Element> {
    private var elements: [Element?] = []
    private var head = 0

    public init() {}

    public var isEmpty: Bool { head == elements.count }
    public var count: Int { elements.count - head }

    public mutating func append(_ element: Element) { elements.append(element) }

    public mutating func removeAll(where isGone: (Element) -> Bool) {
        elements = elements[head...].filter { $0.map { !isGone($0) } ?? false }
        head = 0
    }

    public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        defer {
            elements[head] = nil
            head += 1
            if head == elements.count {
                elements = []
                head = 0
            } else if head > 64, head > elements.count / 2 {
                elements.removeFirst(head)
                head = 0
            }
        }
        return elements[head]
    }
}

extension Queue: Sendable where Element: Sendable {}
