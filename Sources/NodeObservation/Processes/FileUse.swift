/// Who has a file or directory beneath a path open, works in it, or has it as its root or program. Links of
/// /proc/PID are read, which asks no filesystem anything.
public struct FileUse: Sendable, Equatable {
    public var pid: Int32
    /// `cwd`, `root`, `exe`, or a descriptor's number.
    public var how: String
    public var path: [UInt8]

    public init(pid: Int32, how: String, path: [UInt8]) {
        self.pid = pid
        self.how = how
        self.path = path
    }

    /// The most uses that are returned for one process.
    public static let limitOfProcess = 8

    /// The uses by a process of what lies at or beneath one of these directories. nil where this user may not know.
    public static func of(pid: Int32, beneath directories: [[UInt8]]) -> [FileUse]? {
        let process = "/proc/\(pid)"
        var found: [FileUse] = []
        func look(_ how: String, _ link: String) -> Bool {
            do throws(ObservationError) {
                guard let path = try linkTarget(link) else { return true }
                let plain =
                    path.suffix(deleted.count).elementsEqual(deleted) ? Array(path.dropLast(deleted.count)) : path
                if directories.contains(where: { remainder(of: plain, beneath: trimmed($0)) != nil }) {
                    found.append(FileUse(pid: pid, how: how, path: path))
                }
                return true
            } catch {
                return false
            }
        }
        for how in ["cwd", "root", "exe"] { guard look(how, "\(process)/\(how)") else { return nil } }
        guard let names = try? linkNames(of: "\(process)/fd") else { return nil }
        for name in names where found.count < limitOfProcess { _ = look(name, "\(process)/fd/\(name)") }
        return found
    }
}

/// What the kernel appends to the path of a file that is removed.
private let deleted = Array(" (deleted)".utf8)
