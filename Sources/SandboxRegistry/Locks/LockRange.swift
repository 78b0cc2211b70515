/// The bytes of the lock file that belong to one sandbox. None of them is ever read or written: they are only locked.
///
/// Every range lies beyond the slots, at a hash of the sandbox's id. Two ids with the same hash, of which a node has none in
/// practice, would wait for each other.
struct LockRange: Sendable, Equatable {
    /// A hash of the id (FNV-1a, 64 bits), which is the same in every release.
    let hash: UInt64

    init(_ sandbox: String) {
        hash = sandbox.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    /// Whoever works on the sandbox has this byte locked.
    var work: Int64 { base }
    /// Whoever waits for the sandbox and wants no grace given has this byte locked.
    var hurry: Int64 { base + 1 }
    /// A program that was started before the sandbox's namespaces go has this byte locked for as long as it runs.
    var hook: Int64 { base + 2 }

    private var base: Int64 { 1 << 40 + Int64((hash ^ hash >> 56) & (1 << 56 - 1)) << 3 }
}

/// Who holds a sandbox's lock, and for what: a line of fixed length in the lock file.
///
/// A lock alone tells no pid. The line stays when its writer is killed, and then tells what was not finished.
package struct LockHolder: Sendable, Equatable {
    package var pid: Int32
    /// Clock ticks after boot, as in /proc/PID/stat: tells the process from a later one with its pid.
    package var startTime: UInt64
    /// Such as `remove`: at most 15 bytes.
    package var work: String

    package init(pid: Int32, startTime: UInt64, work: String) {
        self.pid = pid
        self.startTime = startTime
        self.work = work
    }
}

/// The part of the lock file that has content: lines of `LockHolder`.
enum LockSlots {
    /// Bytes of a line, its newline included.
    static let size = 64
    static let count = 1024
    /// How many slots, from the one of its hash on, a sandbox's line can be in.
    static let candidates = 16
    static let blank = [UInt8](repeating: UInt8(ascii: " "), count: size - 1) + [UInt8(ascii: "\n")]

    static func number(_ range: LockRange, _ candidate: Int) -> Int {
        (Int(range.hash % UInt64(count)) + candidate) % count
    }
    static func offset(_ slot: Int) -> Int64 { Int64(slot * size) }
    /// Whoever uses the slot has this byte locked.
    static func byte(_ slot: Int) -> Int64 { 1 << 20 + Int64(slot) }

    static func line(_ holder: LockHolder, _ range: LockRange) -> [UInt8] {
        let hash = String(range.hash, radix: 16)
        let padded = String(repeating: "0", count: 16 - hash.count) + hash
        let text = Array("\(padded) \(holder.pid) \(holder.startTime) \(holder.work)".utf8.prefix(size - 1))
        return text + blank[text.count...]
    }

    /// nil where the slot is blank, or holds something else.
    static func read(_ line: ArraySlice<UInt8>) -> (hash: UInt64, holder: LockHolder)? {
        let fields = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") || $0 == 0 }
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 4, let hash = UInt64(fields[0], radix: 16), let pid = Int32(fields[1]), pid > 0,
            let startTime = UInt64(fields[2])
        else { return nil }
        return (hash, LockHolder(pid: pid, startTime: startTime, work: fields[3]))
    }
}
