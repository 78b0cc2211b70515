internal import EventLoop
internal import LinuxSystem
internal import Synchronization

/// Standard output, standard error, and the pipes between a root process and the process of the registry's owner that
/// it started.
enum Stream: Int32, Sendable {
    case output = 1
    case errors = 2
    /// From the owner's process to the root process.
    case owner = 3
    /// From the root process to the owner's process.
    case root = 4

    /// Writes a whole text at once, so that lines of several tasks do not mix. Text that a closed pipe does not take is
    /// lost.
    ///
    /// Waits for the reader, unless `queueAll` was called.
    func write(_ text: String) {
        if Self.isQueued.load(ordering: .relaxed), let queue { return queue.add(text, isKept: true) }
        writeAll(text, to: rawValue)
    }

    /// Reads up to the end of a line; empty if the other end is closed.
    func readLine() -> String {
        var bytes: [UInt8] = []
        while bytes.last != UInt8(ascii: "\n"), let byte = try? readSome(from: rawValue, atMost: 1), !byte.isEmpty {
            bytes += byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    var isPipe: Bool { (try? FileStatus.ofOpen(rawValue).kind) == .pipe }

    /// Closes these streams in every program that this process starts.
    static func keepFromOthers(_ streams: [Stream]) {
        for stream in streams { closeOnExec(stream.rawValue) }
    }

    /// Queues text about progress, which is left out if 16 MiB already wait for the reader. Use after `queueAll`.
    func tell(_ text: String) { queue?.add(text) }

    /// From here on only the end of this process waits for the reader: a full pipe must not hold up work.
    static func queueAll() { isQueued.store(true, ordering: .relaxed) }

    /// Waits until all that was queued has been written.
    static func flush() {
        guard isQueued.load(ordering: .relaxed) else { return }
        for stream in [output, errors] { stream.queue?.flush() }
    }

    /// Whether everything that was queued has been written.
    var isRead: Bool { queue?.isIdle ?? true }

    private var queue: OutputQueue? {
        switch self {
        case .output: Self.outputQueue
        case .errors: Self.errorQueue
        case .owner, .root: nil
        }
    }
    private static let isQueued = Atomic(false)
    private static let outputQueue = OutputQueue(descriptor: 1, bound: mostQueued) { count in
        // The note goes to standard error, because standard output holds JSON or a table.
        complain(leftOut(count))
        return ""
    }
    private static let errorQueue = OutputQueue(descriptor: 2, bound: mostQueued) { "podreap: \(leftOut($0))\n" }
    private static let mostQueued = 16 << 20

    private static func leftOut(_ count: Int) -> String {
        "warning: \(count) lines about the progress were left out because nobody read them"
    }

    var isTerminal: Bool { LinuxSystem.isTerminal(rawValue) }

    /// The terminal's width in columns; 80 if it is unknown.
    var columns: Int { terminalColumns(rawValue) ?? 80 }
}

/// Ends this process like exit(3), once all queued output is written.
func leave(_ status: Int32) -> Never {
    Stream.flush()
    exitProcess(status)
}
