/// What lies at a path, seen by root without a helper.
public struct Entry: Sendable {
    public var device: UInt64
    public var inode: UInt64
    /// Nanoseconds since 1970; 0 where the filesystem keeps none.
    public var birth: UInt64
    public var mode: UInt32

    /// Nil where nothing is.
    public static func at(_ path: String, follow: Bool = false) -> Entry? { findEntry(path, follow: follow) }

    public static func exists(_ path: String) -> Bool { at(path) != nil }
}

/// Seconds that `body` takes, and what it gives.
public func timed<Result>(_ body: () throws -> Result) rethrows -> (seconds: Double, result: Result) {
    let start = monotonicSeconds()
    let result = try body()
    return (monotonicSeconds() - start, result)
}

/// The mounts at or beneath a path in this mount namespace: mount points, in the order of /proc/self/mountinfo.
public func mounts(beneath path: String) throws -> [String] {
    try NodeProcess(currentProcess()).read("mountinfo").split(separator: "\n").compactMap { line in
        let fields = line.split(separator: " ")
        guard fields.count > 4 else { return nil }
        let point = String(fields[4])
        return point == path || point.hasPrefix(path + "/") ? point : nil
    }
}

/// Detaches every mount at or beneath a path, topmost first, and removes what is left there.
public func clear(_ path: String) {
    for point in (try? mounts(beneath: path))?.reversed() ?? [] { _ = try? shell("umount -l '\(point)'") }
    _ = try? shell("rm -rf '\(path)'")
}
