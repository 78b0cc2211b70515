internal import LinuxSystem

/// Finds damage that SQLite does not report. SQLite reads its log up to the first frame with a wrong checksum, and
/// treats what follows as never written. That is correct if a process or the power was lost while the log was being
/// written; but if whole transactions of the same log follow, the log was damaged after it had been written.
///
/// The format: https://www.sqlite.org/fileformat.html#the_write_ahead_log
struct LogCheck {
    private let log: [UInt8]
    private let pageSize: Int
    private let isBigEndian: Bool
    private static let headerSize = 32
    private static let frameHeaderSize = 24

    /// How many transactions follow the damage, so that SQLite does not read them.
    static func unreadable(in log: [UInt8]) -> Int {
        guard log.count > headerSize + frameHeaderSize else { return 0 }
        return LogCheck(log).unreadable
    }

    private init(_ log: [UInt8]) {
        self.log = log
        let magic = Self.bigEndian(log, 0)
        isBigEndian = magic == 0x377f_0683
        let size = Int(Self.bigEndian(log, 8))
        // If the log's page size is lost, 4 KiB is right: SQLite's default, which every registry has.
        pageSize = (512...65536).contains(size) && size & (size - 1) == 0 ? size : 4096
    }

    private var frameSize: Int { Self.frameHeaderSize + pageSize }

    private var unreadable: Int {
        let count = (log.count - Self.headerSize) / frameSize
        guard count > 0 else { return 0 }
        let isHeaderRight = sum(of: 0..<24, after: Sum(0, 0)) == stored(at: 24)
        // Frames from an earlier use of the file have other salts.
        let salts = isHeaderRight ? self.salts(at: 16) : self.salts(at: Self.headerSize + 8)
        var isRead = isHeaderRight
        var transactions = 0
        for number in 0..<count {
            let start = Self.headerSize + number * frameSize
            let before = number == 0 ? stored(at: 24) : stored(at: start - frameSize + 16)
            var found = sum(of: start..<start + 8, after: before)
            found = sum(of: start + Self.frameHeaderSize..<start + frameSize, after: found)
            let isRight = self.salts(at: start + 8) == salts && found == stored(at: start + 16)
            if !isRight { isRead = false }
            // The last frame of a transaction holds the file's size after the transaction.
            if isRight, !isRead, Self.bigEndian(log, start + 4) != 0 { transactions += 1 }
        }
        return transactions
    }

    private struct Sum: Equatable {
        var first: UInt32
        var second: UInt32
        init(_ first: UInt32, _ second: UInt32) { (self.first, self.second) = (first, second) }
    }

    private func sum(of range: Range<Int>, after before: Sum) -> Sum {
        var sum = before
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
            sum.first = sum.first &+ word(start) &+ sum.second
            sum.second = sum.second &+ word(start + 4) &+ sum.first
        }
        return sum
    }

    private func word(_ start: Int) -> UInt32 {
        let word = Self.bigEndian(log, start)
        return isBigEndian ? word : word.byteSwapped
    }

    private func stored(at start: Int) -> Sum { Sum(Self.bigEndian(log, start), Self.bigEndian(log, start + 4)) }

    private func salts(at start: Int) -> [UInt32] { [Self.bigEndian(log, start), Self.bigEndian(log, start + 4)] }

    private static func bigEndian(_ bytes: [UInt8], _ start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[start + $1]) }
    }
}

extension Registry {
    /// Checks SQLite's log before SQLite opens it, because SQLite does not report damage. A damaged log is copied
    /// beside the registry, and every user of the registry is warned until somebody removes the copy.
    ///
    /// What `register` has acknowledged is in the registry's file itself, so it is not lost with the log.
    static func keepDamagedLog(of registry: String) {
        let path = registry + "-wal"
        guard !isMissingOrEmpty(path), !KernelLock.isOpenedBySQLite(registry + "-shm"),
            let log = content(path), LogCheck.unreadable(in: log) > 0
        else { return }
        // Another process may have begun to write the log, so it is read again.
        pause(.milliseconds(20))
        guard content(path) == log else { return }
        let slash = registry.lastIndex(of: "/")
        let parent = slash.map { $0 == registry.startIndex ? "/" : String(registry[..<$0]) } ?? "."
        let name = slash.map { String(registry[registry.index(after: $0)...]) } ?? registry
        guard let directory = try? LockDirectory(parent),
            let kept = try? directory.newFile(name + damagedSuffix, ownedLike: name)
        else { return }
        kept.write(log, at: 0)
    }

    private static func content(_ path: String) -> [UInt8]? {
        try? Descriptor.open(Array(path.utf8)).contents(inPieces: 16 << 10)
    }

    /// Whether a file is missing or has no bytes.
    static func isMissingOrEmpty(_ path: String) -> Bool {
        do throws(Errno) { return try FileStatus.of(path, followsLink: false).size == 0 } catch {
            return error == .noEntry
        }
    }

    private static let damagedSuffix = "-wal-damaged"

    /// Warnings for every user of the registry, one sentence each.
    public var warnings: [String] { [damage, growth].compactMap { $0 } }

    private var damage: String? {
        let kept = resolvedPath + Self.damagedSuffix
        guard (try? FileStatus.of(kept, followsLink: false)) != nil else { return nil }
        return """
            the registry's log was found damaged, and is kept in \(kept): the newest records may be lost, so compare podreap ps with \
            the node (podreap discover), and remove that file then
            """
    }
}

extension KernelLock {
    /// Whether some process has the SQLite database open to which this shared-memory file belongs: each such process
    /// locks byte 128.
    static func isOpenedBySQLite(_ sharedMemory: String) -> Bool {
        guard let inode = try? FileStatus.of(sharedMemory, followsLink: false).inode, let text = text() else {
            return false
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").contains { line in
            line.contains(" POSIX ") && line.contains(":\(inode) 128 128")
        }
    }
}
