internal import Dispatch
internal import LinuxSystem
internal import Synchronization

/// Writes text to a descriptor on a thread of its own, so that no caller waits for the reader at the other end.
///
/// Text that nobody reads stays in memory up to a bound. Beyond that, text that may be lost is dropped and counted.
public final class OutputQueue: Sendable {
    private struct State {
        var texts = Queue<String>()
        /// Bytes in `texts` and in the text that is being written.
        var bytes = 0
        var dropped = 0
        var hasThread = false
        /// Callers of `flush` that wait until nothing is left.
        var flushing: [DispatchSemaphore] = []
    }

    private let descriptor: Int32
    private let bound: Int
    private let lossNote: @Sendable (Int) -> String
    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - descriptor: Must stay open. It may be in non-blocking mode.
    ///   - bound: The most bytes that may wait before text is dropped.
    ///   - lossNote: Returns the text that is written in place of this many dropped texts.
    public init(descriptor: Int32, bound: Int, lossNote: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.bound = bound
        self.lossNote = lossNote
    }

    /// Adds a text to the queue. Texts are written whole and in order; text that a closed pipe does not accept is lost.
    ///
    /// - Parameter isKept: Whether the text is accepted even beyond the bound.
    public func add(_ text: String, isKept: Bool = false) {
        let needsThread = state.withLock { state in
            if !isKept, state.bytes > 0, state.bytes + text.utf8.count > bound {
                state.dropped += 1
                return false
            }
            noteLoss(&state)
            append(text, &state)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if needsThread, (try? startThread { self.work() }) == nil { state.withLock { $0.hasThread = false } }
        bell.signal()
    }

    /// Whether everything has been written.
    public var isIdle: Bool { state.withLock { $0.bytes == 0 } }

    /// Blocks until everything has been written, and then returns true. Returns false if that takes longer than
    /// `limit`; without a limit it waits as long as necessary.
    @discardableResult
    public func flush(within limit: Duration? = nil) -> Bool {
        let written = DispatchSemaphore(value: 0)
        let (isIdle, hasThread) = state.withLock { state in
            noteLoss(&state)
            if state.bytes > 0 { state.flushing.append(written) }
            return (state.bytes == 0, state.hasThread)
        }
        if isIdle { return true }
        if hasThread {
            bell.signal()
        } else {
            // No thread could be started, and nobody else waits for this one any more, so this one writes the texts
            // itself.
            while let text = next() { write(text) }
        }
        guard let limit else {
            written.wait()
            return true
        }
        return written.wait(timeout: .now() + (limit / .seconds(1))) == .success
    }

    private func noteLoss(_ state: inout State) {
        guard state.dropped > 0 else { return }
        append(lossNote(state.dropped), &state)
        state.dropped = 0
    }

    private func append(_ text: String, _ state: inout State) {
        guard !text.isEmpty else { return }
        state.texts.append(text)
        state.bytes += text.utf8.count
    }

    private func work() {
        while true {
            bell.wait()
            while let text = next() { write(text) }
        }
    }

    private func next() -> String? { state.withLock { $0.texts.popFirst() } }

    private func write(_ text: String) {
        writeAll(text, to: descriptor)
        let flushing = state.withLock { state in
            state.bytes -= text.utf8.count
            guard state.bytes == 0 else { return [DispatchSemaphore]() }
            defer { state.flushing = [] }
            return state.flushing
        }
        for waiting in flushing { waiting.signal() }
    }
}
