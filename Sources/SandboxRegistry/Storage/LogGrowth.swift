internal import LinuxSystem

/// SQLite's log grows while a process reads: what was written since that process began must stay in the log. A process
/// that is stopped while it reads therefore makes the log grow without end.
extension Registry {
    /// The bytes above which the log is not of an ordinary size. SQLite empties it at 4 MiB (its default, 1000 pages).
    static let ordinaryLog: Int64 = 16 << 20

    /// A sentence for people if the log keeps growing; nil if it is of an ordinary size.
    var growth: String? {
        let log = resolvedPath + "-wal"
        guard let size = try? FileStatus.of(log, followsLink: false).size, size > Self.ordinaryLog else { return nil }
        let readers = KernelLock.readersOfSQLite(resolvedPath + "-shm").map { "\($0)" }
        let (who, remedy) =
            readers.isEmpty
            ? ("some process", "find it with fuser \(resolvedPath)")
            : (
                "process \(readers.joined(separator: ", "))",
                "let it go on if it is stopped (kill -CONT \(readers.joined(separator: " "))), or end it"
            )
        return """
            the registry's log \(log) has grown to \(size >> 20) MiB, because \(who) keeps reading the registry; \(remedy)
            """
    }
}

extension KernelLock {
    /// The other processes that have a transaction open on the SQLite database to which this shared-memory file belongs:
    /// each that reads locks one of the bytes 123 to 127 (https://www.sqlite.org/walformat.html, "WAL locks").
    static func readersOfSQLite(_ sharedMemory: String) -> [Int32] {
        guard let inode = try? FileStatus.of(sharedMemory, followsLink: false).inode, let text = text() else {
            return []
        }
        let readers = lines(text, of: "POSIX").compactMap { fields -> Int32? in
            guard fields[3].elementsEqual("READ".utf8), let lock = KernelLock(fields), lock.inode == inode,
                (123...127).contains(lock.start)
            else { return nil }
            return Int32(String(decoding: fields[4], as: UTF8.self))
        }
        return Set(readers).subtracting([ownPID]).sorted()
    }
}
