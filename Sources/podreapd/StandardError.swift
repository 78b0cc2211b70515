internal import EventLoop
internal import LinuxSystem

/// Standard error, which nothing waits for.
enum StandardError {
    /// Queues a line. Once 4 MiB wait for the reader, further lines are lost and counted.
    static func write(_ text: String) { queue.add(text) }

    fileprivate static let queue = OutputQueue(descriptor: 2, bound: 4 << 20) { count in
        "<4>\(count) lines of the log were lost because nobody read them\n"
    }
}

/// Ends this process like exit(3), once the queued log is written, or after 2 seconds if nobody reads it.
func leave(_ status: Int32) -> Never {
    StandardError.queue.flush(within: .seconds(2))
    exitProcess(status)
}
