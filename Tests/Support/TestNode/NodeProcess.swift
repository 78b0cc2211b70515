internal import Foundation

/// Runs `body` while waits of this thread, and of what it starts, may end that much too late (PR_SET_TIMERSLACK).
public func withTimerSlack<Result>(nanoseconds: UInt64, _ body: () throws -> Result) throws -> Result {
    let thread = try linkTarget("/proc/thread-self").split(separator: "/").last ?? ""
    let file = URL(filePath: "/proc/\(thread)/timerslack_ns")
    try Data("\(nanoseconds)".utf8).write(to: file)
    defer { try? Data("50000".utf8).write(to: file) }
    return try body()
}

/// Waits for what takes milliseconds, or until the time is over; whether it is so then.
public func soon(seconds: Double = 10, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = monotonicSeconds() + seconds
    while monotonicSeconds() < end {
        if try condition() { return true }
        pause(milliseconds: 5)
    }
    return try condition()
}

/// What /proc says of a process.
public struct NodeProcess: Sendable {
    public let pid: Int32
    public init(_ pid: Int32) { self.pid = pid }

    /// Fields of /proc/PID/status.
    public func status() throws -> [String: String] { Self.fields(try read("status")) }

    /// Fields of a text in the form of /proc/PID/status.
    public static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        return fields
    }

    /// Whether signals are ignored or blocked, by their field of /proc/PID/status; 32 and 33, which belong to the C
    /// library, do not count.
    public static func hasSignals(_ mask: String?) -> Bool {
        mask.flatMap { UInt64($0, radix: 16) }.map { $0 & ~0x1_8000_0000 != 0 } ?? true
    }

    public func read(_ file: String) throws -> String {
        let data = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(pid)/\(file)")).readToEnd() ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// The processes that any of its threads has started.
    public func children() throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").flatMap { thread in
            ((try? read("task/\(thread)/children")) ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// The numbers of its open descriptors, and what each is.
    public func descriptors() throws -> [Int: String] {
        var found: [Int: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd") {
            if let number = Int(name) { found[number] = try linkTarget("/proc/\(pid)/fd/\(name)") }
        }
        return found
    }

    public func link(_ name: String) throws -> String { try linkTarget("/proc/\(pid)/\(name)") }

    /// Whether it runs: not gone, and no zombie.
    public var isAlive: Bool {
        guard let state = try? status()["State"] else { return false }
        return !state.hasPrefix("Z") && !state.hasPrefix("X")
    }

    /// Waits until none of the processes runs; the numbers of those that still do after that time.
    public static func waitForEnd(of pids: [Int32], seconds: Double) -> [Int32] {
        let end = monotonicSeconds() + seconds
        while true {
            let alive = pids.filter { NodeProcess($0).isAlive }
            if alive.isEmpty || monotonicSeconds() > end { return alive }
            pause(milliseconds: 5)
        }
    }
}
