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

    public var isDirectory: Bool { mode & 0o170000 == 0o040000 }

    /// Whether both are the same file.
    public func isSame(as other: Entry?) -> Bool { device == other?.device && inode == other?.inode }
}

/// The names in a directory but `.` and `..`; none where it cannot be read.
public func names(in directory: String) -> [(name: String, isDirectory: Bool)] { listDirectory(directory) }

/// A whole file, or its beginning; nil where it cannot be opened.
public func bytes(of path: String, limit: Int = 1 << 20) -> [UInt8]? { readFile(path, limit: limit) }

/// The same as text.
public func contents(of path: String, limit: Int = 1 << 20) -> String? {
    bytes(of: path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
}

/// Seconds that `body` takes, and what it gives.
public func timed<Result>(_ body: () throws -> Result) rethrows -> (seconds: Double, result: Result) {
    let start = monotonicSeconds()
    let result = try body()
    return (monotonicSeconds() - start, result)
}

/// A line of /proc/self/mountinfo, as far as tests need it: their own paths hold nothing that the kernel escapes.
public struct NodeMount: Sendable {
    /// The directory of its filesystem that is mounted.
    public let root: String
    public let point: String
    public let type: String

    /// The mounts of this mount namespace, the oldest first.
    public static func all() throws -> [NodeMount] {
        try NodeProcess(currentProcess()).read("mountinfo").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let end = fields.firstIndex(of: "-"), end >= 6, end + 1 < fields.count else { return nil }
            return NodeMount(root: String(fields[3]), point: String(fields[4]), type: String(fields[end + 1]))
        }
    }

    /// Those at or beneath a path.
    public static func beneath(_ path: String) throws -> [NodeMount] {
        try all().filter { $0.point == path || $0.point.hasPrefix(path + "/") }
    }
}

/// The mounts at or beneath a path in this mount namespace: mount points, in the order of /proc/self/mountinfo.
public func mounts(beneath path: String) throws -> [String] { try NodeMount.beneath(path).map(\.point) }

/// Detaches every mount at or beneath a path, topmost first, and removes what is left there.
public func clear(_ path: String) {
    for point in (try? mounts(beneath: path))?.reversed() ?? [] { _ = try? shell("umount -l '\(point)'") }
    _ = try? shell("rm -rf '\(path)'")
}
