internal import Foundation
internal import TestNode

/// A named pipe that is full, and that nobody reads until it is told to.
public final class FullPipe: Sendable {
    public let path: String
    private let holder: Program

    /// - Parameter path: Where it is made; any user may write to it.
    public init(_ path: String) throws {
        self.path = path
        try shell("mkfifo -m 666 \(path)")
        let script = """
            exec 3<>\(path)
            dd if=/dev/zero of=\(path) bs=4096 oflag=nonblock 2>/dev/null
            echo full
            exec sleep 2147483647 >/dev/null
            """
        var start = ProgramStart("/bin/sh", ["-c", script])
        start.environment = ["PATH=/usr/bin:/bin"]
        start.input = 0
        holder = try .holding(start, says: "full")
    }

    /// Reads until all who write have closed it: what they wrote after it was full.
    public func read(seconds: Double = 20) throws -> String {
        let file = path + "-read"
        var start = ProgramStart("/bin/sh", ["-c", "exec 4<\(path); echo open; exec cat <&4 >\(file)"])
        start.environment = ["PATH=/usr/bin:/bin"]
        start.output = .read
        start.input = 0
        let reader = try Program(start)
        _ = try reader.readLine()
        holder.kill()
        guard try reader.wait(seconds: seconds) == .exited(0) else { throw PodNodeFailure("\(path) stays open") }
        let bytes = try Data(contentsOf: URL(filePath: file))
        return String(decoding: bytes.drop { $0 == 0 }, as: UTF8.self)
    }
}
