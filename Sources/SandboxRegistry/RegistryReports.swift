import FoundationEssentials
internal import GRDB

extension Registry {
    /// Keeps a report, and of all the newest `keptReports`.
    public func keepReport(_ report: StoredReport) throws(RegistryError) {
        try write { database in try Self.keep(report, database) }
    }

    /// The newest `limit` reports, newest first; with `matching`, of sandboxes whose id or pod name begins so.
    public func reports(limit: Int, matching: String? = nil) throws(RegistryError) -> [StoredReport] {
        try read { database in
            // Compared by substr, because a name may hold what LIKE and GLOB take for wildcards.
            try database.rows(
                sql: """
                    SELECT * FROM report
                    WHERE ?1 IS NULL OR substr(sandbox, 1, length(?1)) = ?1 OR substr(pod_name, 1, length(?1)) = ?1
                    ORDER BY number DESC LIMIT ?2
                    """,
                arguments: [matching, max(0, limit)]
            ).map { row in
                StoredReport(
                    sandboxID: row["sandbox"], podName: row["pod_name"],
                    startedAt: Date(microseconds: row["started_at"]), duration: row["duration"],
                    outcome: row["outcome"], body: row["body"])
            }
        }
    }

    static func keep(_ report: StoredReport, _ database: Database) throws {
        // SQLite has no NaN: it becomes NULL.
        try database.perform(
            sql: """
                INSERT INTO report (sandbox, pod_name, started_at, duration, outcome, body) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                report.sandboxID, report.podName, report.startedAt.microseconds,
                report.duration.isNaN ? 0 : report.duration, report.outcome, report.body,
            ])
        // Numbers rise without gaps, because the newest row is never deleted.
        try database.perform(
            sql: "DELETE FROM report WHERE number <= (SELECT max(number) FROM report) - ?", arguments: [keptReports])
    }
}
