public import FoundationEssentials
internal import GRDB

/// A jump forward of the machine's clock: what was created before it looks older than it is.
public struct ClockJump: Codable, Sendable, Equatable {
    /// Timestamps up to this one, by the clock as it was, are from before the jump.
    public var before: Date
    public var length: Duration

    public init(before: Date, length: Duration) {
        self.before = before
        self.length = length
    }
}

/// The clock, and the time since boot, which nobody can set, read at one moment.
package struct ClockReading: Sendable {
    package var bootID: String
    package var wall: Date
    package var sinceBoot: Duration
    /// The clock's time at the boot, in seconds since 1970.
    fileprivate var offset: Double { wall.timeIntervalSince1970 - sinceBoot.inSeconds }

    package init(bootID: String, wall: Date, sinceBoot: Duration) {
        self.bootID = bootID
        self.wall = wall
        self.sinceBoot = sinceBoot
    }
}

extension Registry {
    /// The largest change, in seconds, that counts as an ordinary correction and not as somebody setting the clock.
    private static let slack = 2.0

    /// Records how the clock runs, and returns all recorded jumps forward in this boot. The more often it is called,
    /// the more exact the jumps are. A jump that cannot be written by the deadline, or within `busyTimeout`, is known to
    /// this call only.
    package func noteClock(
        _ now: ClockReading, until deadline: ContinuousClock.Instant = .now + Registry.busyTimeout
    ) throws(RegistryError) -> [ClockJump] {
        let known = try read { database in try Self.clock(now, database) }
        let end = min(deadline, .now + Self.busyTimeout)
        if known.isNews { try? write(until: end) { database in try Self.noteClock(now, database) } }
        return known.jumps
    }

    /// The same, in a transaction.
    static func noteClock(_ now: ClockReading, _ database: Database) throws {
        let known = try clock(now, database)
        if !known.isNews { return }
        try database.execute(sql: "DELETE FROM clock WHERE boot_id <> ?", arguments: [now.bootID])
        try database.execute(sql: "DELETE FROM clock_jump WHERE boot_id <> ?", arguments: [now.bootID])
        try database.execute(
            sql: "INSERT OR REPLACE INTO clock (boot_id, offset) VALUES (?, ?)", arguments: [now.bootID, now.offset])
        guard let jump = known.latest else { return }
        try database.execute(
            sql: "INSERT OR REPLACE INTO clock_jump (boot_id, before, seconds) VALUES (?, ?, ?)",
            arguments: [now.bootID, jump.before.timeIntervalSince1970, jump.length.inSeconds])
    }

    /// All jumps up to now, the one that this reading shows, and whether there is something to record.
    private static func clock(
        _ now: ClockReading, _ database: Database
    ) throws -> (jumps: [ClockJump], latest: ClockJump?, isNews: Bool) {
        let last = try Row.fetchOne(
            database, sql: "SELECT offset FROM clock WHERE boot_id = ?", arguments: [now.bootID]
        ).map { $0["offset"] as Double }
        let jumps = try Row.fetchAll(
            database, sql: "SELECT before, seconds FROM clock_jump WHERE boot_id = ? ORDER BY before",
            arguments: [now.bootID]
        ).map {
            ClockJump(
                before: Date(timeIntervalSince1970: $0["before"]), length: Duration(recordedSeconds: $0["seconds"]))
        }
        let change = last.map { now.offset - $0 } ?? 0
        let jump = change > slack ? ClockJump(before: now.wall - change, length: .seconds(change)) : nil
        // Small changes are recorded too, so that they do not add up to a jump.
        return (jumps + [jump].compactMap(\.self), jump, last == nil || abs(change) > 0.1)
    }
}
