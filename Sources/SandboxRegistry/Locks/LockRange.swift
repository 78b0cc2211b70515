/// The bytes of the lock file that belong to one sandbox. They are only locked, never read or written.
///
/// Every range lies beyond the slots, at a hash of the sandbox's id. Two ids with the same hash would wait for each
/// other; in practice a node has no such pair.
struct LockRange: Sendable, Equatable {
    /// The id's hash (FNV-1a, 64 bits), which is the same in every release.
    let hash: UInt64

    init(_ sandbox: String) {
        hash = sandbox.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    /// Locked by the process that works on the sandbox.
    var work: Int64 { base }
    /// Locked by a process that waits for the sandbox and wants no grace given.
    var hurry: Int64 { base + 1 }
    /// Locked by a program that runs before the sandbox's namespaces are removed, for as long as it runs.
    var hook: Int64 { base + 2 }

    private var base: Int64 { 1 << 40 + Int64((hash ^ hash >> 56) & (1 << 56 - 1)) << 3 }
}

/// Who holds a sandbox's lock, and for what work: a line of fixed length in the lock file.
///
/// A lock itself does not tell its holder's pid. The line stays if its writer is killed, and then shows what was left
/// unfinished.
package struct LockHolder: Sendable, Equatable {
    package var pid: Int32
    /// Clock ticks after boot, as in /proc/PID/stat. Tells the process from a later one with the same pid.
    package var startTime: UInt64
    /// The kind of work, such as `remove`: at most 15 bytes.
    package var work: String

    package init(pid: Int32, startTime: UInt64, work: String) {
        self.pid = pid
        self.startTime = startTime
        self.work = work
    }
}

/// The part of the lock file that has content: one `LockHolder` a line.
enum LockSlots {
    /// Bytes of a line, including its newline.
    static let size = 64
    static let count = 1024
    /// How many consecutive slots, from the one at its hash, can hold a sandbox's line.
    static let candidates = 16
    static let blank = [UInt8](repeating: UInt8(ascii: " "), count: size - 1) + [UInt8(ascii: "\n")]

    static func number(_ range: LockRange, _ candidate: Int) -> Int {
        (Int(range.hash % UInt64(count)) + candidate) % count
    }
    static func offset(_ slot: Int) -> Int64 { Int64(slot * size) }
    /// Locked by the process that uses the slot.
    static func byte(_ slot: Int) -> Int64 { 1 << 20 + Int64(slot) }

    static func line(_ holder: LockHolder, _ range: LockRange) -> [UInt8] {
        let hash = String(range.hash, radix: 16)
        let padded = String(repeating: "0", count: 16 - hash.count) + hash
        let text = Array("\(padded) \(holder.pid) \(holder.startTime) \(holder.work)".utf8.prefix(size - 1))
        return text + blank[text.count...]
    }

    /// nil if the slot is blank, or its content is not a holder's line.
    static func read(_ line: ArraySlice<UInt8>) -> (hash: UInt64, holder: LockHolder)? {
        let fields = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") || $0 == 0 }
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 4, let hash = UInt64(fields[0], radix: 16), let pid = Int32(fields[1]), pid > 0,
            let startTime = UInt64(fields[2])
        else { return nil }
        return (hash, LockHolder(pid: pid, startTime: startTime, work: fields[3]))
    }
}
