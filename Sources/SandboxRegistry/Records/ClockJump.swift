public import FoundationEssentials
internal import GRDB

/// A jump forward of the machine's clock: what was created before it looks older than it is.
public struct ClockJump: Codable, Sendable, Equatable {
    /// Timestamps up to this one, by the clock as it was, are from before the jump.
    public var before: Date
    public var seconds: Double

    public init(before: Date, seconds: Double) {
        self.before = before
        self.seconds = seconds
    }
}

/// The clock, and the time since boot, which nobody can set, read at one moment.
package struct ClockReading: Sendable {
    package var bootID: String
    package var wall: Date
    /// Seconds.
    package var sinceBoot: Double

    package init(bootID: String, wall: Date, sinceBoot: Double) {
        self.bootID = bootID
        self.wall = wall
        self.sinceBoot = sinceBoot
    }
}

extension Registry {
    /// The largest change, in seconds, that counts as an ordinary correction and not as somebody setting the clock.
    private static let slack = 2.0

    /// Records how the clock runs, and returns all recorded jumps forward in this boot. The more often it is called,
    /// the more exact the jumps are. A jump that cannot be written by the deadline is known to this call only.
    package func noteClock(
        _ now: ClockReading, until deadline: ContinuousClock.Instant = .now + .seconds(Registry.busyTimeout)
    ) throws(RegistryError) -> [ClockJump] {
        let offset = now.wall.timeIntervalSince1970 - now.sinceBoot
        let known = try read { database in
            let last = try Row.fetchOne(
                database, sql: "SELECT offset FROM clock WHERE boot_id = ?", arguments: [now.bootID])
            let jumps = try Row.fetchAll(
                database, sql: "SELECT before, seconds FROM clock_jump WHERE boot_id = ? ORDER BY before",
                arguments: [now.bootID])
            return (
                last: last.map { $0["offset"] as Double },
                jumps: jumps.map {
                    ClockJump(before: Date(timeIntervalSince1970: $0["before"]), seconds: $0["seconds"])
                }
            )
        }
        let change = known.last.map { offset - $0 } ?? 0
        let jump = change > Self.slack ? ClockJump(before: now.wall - change, seconds: change) : nil
        // Small changes are recorded too, so that they do not add up to a jump.
        if known.last == nil || abs(change) > 0.1 {
            try? write(until: deadline) { database in
                try database.execute(sql: "DELETE FROM clock WHERE boot_id <> ?", arguments: [now.bootID])
                try database.execute(sql: "DELETE FROM clock_jump WHERE boot_id <> ?", arguments: [now.bootID])
                try database.execute(
                    sql: "INSERT OR REPLACE INTO clock (boot_id, offset) VALUES (?, ?)",
                    arguments: [now.bootID, offset])
                guard let jump else { return }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO clock_jump (boot_id, before, seconds) VALUES (?, ?, ?)",
                    arguments: [now.bootID, jump.before.timeIntervalSince1970, jump.seconds])
            }
        }
        return known.jumps + [jump].compactMap(\.self)
    }
}
