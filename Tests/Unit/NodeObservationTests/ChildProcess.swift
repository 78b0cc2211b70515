import Foundation

/// A process of the test's own: ends with it at the latest.
final class ChildProcess: Sendable {
    private let process = Process()

    init(_ script: String) throws {
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", script]
        try process.run()
    }

    deinit { end() }

    var pid: Int32 { process.processIdentifier }

    /// Not TERM: threads of the concurrency pool block it, and what they start inherits that.
    func end() { kill(pid, SIGKILL) }
}

/// Removes cgroups, children first; their last process may still be leaving.
func removeCgroups(_ directories: [String]) {
    for directory in directories {
        for _ in 0..<200 {
            if unsafe rmdir(directory) == 0 || errno != EBUSY { break }
            usleep(10_000)
        }
    }
}
