import FoundationEssentials
internal import GRDB

extension Registry {
    /// Stores a report. Keeps the newest `keptReportsOfPod` of its pod, and the newest `keptReports` of all pods.
    ///
    /// - Parameter deadline: Throws `.busy` if the transaction cannot begin by then.
    package func keepReport(
        _ report: StoredReport, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) {
        try write(until: deadline) { database in try Self.keep(report, database) }
    }

    /// The newest `limit` reports, newest first; with `id`, only those of the sandbox that has or had exactly this id.
    public func reports(limit: Int, of id: String? = nil) throws(RegistryError) -> [StoredReport] {
        try reports(limit: limit, of: id, after: 0)
    }

    /// The same, of the reports that were stored after the one with this number.
    package func reports(
        limit: Int, of id: String?, after number: Int64
    ) throws(RegistryError) -> [StoredReport] {
        try read { database in
            try Self.reports(
                "?1 IS NULL OR sandbox = ?1", arguments: [id], limit: limit, after: number, database)
        }
    }

    /// The number of the report that was stored last; 0 if there is none. Whatever the clock says, it grows.
    package func lastReportNumber() throws(RegistryError) -> Int64 {
        try read { database in try database.row(sql: "SELECT max(number) FROM report")?[0] ?? 0 }
    }

    /// The newest `limit` reports, newest first, of the sandboxes whose id or pod name has this beginning. For people
    /// only, because other sandboxes' ids and names may have the same beginning.
    public func reports(limit: Int, matching beginning: String) throws(RegistryError) -> [StoredReport] {
        try read { database in
            // Compared with substr, because a name may contain the wildcards of LIKE and GLOB.
            try Self.reports(
                "substr(sandbox, 1, length(?1)) = ?1 OR substr(pod_name, 1, length(?1)) = ?1",
                arguments: [beginning], limit: limit, database)
        }
    }

    /// The newest `limit` reports, newest first, of pods with this name, and in this namespace if one is given.
    public func reports(limit: Int, ofPod name: String, in namespace: String?) throws(RegistryError) -> [StoredReport] {
        let beginning = PodMetadata.escaped(name) + "_" + (namespace.map { PodMetadata.escaped($0) + "_" } ?? "")
        return try read { database in
            try Self.reports(
                "substr(pod_name, 1, length(?1)) = ?1", arguments: [beginning], limit: limit, database)
        }
    }

    /// The ids with this beginning of sandboxes that have reports, in order, at most `maximumCandidates`.
    public func reportedIDs(beginning text: String) throws(RegistryError) -> [String] {
        try read { database in
            try database.strings(
                sql:
                    "SELECT DISTINCT sandbox FROM report WHERE substr(sandbox, 1, length(?1)) = ?1 ORDER BY 1 LIMIT ?2",
                arguments: [text, Self.maximumCandidates])
        }
    }

    private static func reports(
        _ condition: String, arguments: StatementArguments, limit: Int, after number: Int64 = 0, _ database: Database
    ) throws -> [StoredReport] {
        try database.rows(
            sql: "SELECT * FROM report WHERE (\(condition)) AND number > ?3 ORDER BY number DESC LIMIT ?2",
            arguments: arguments + [max(0, limit), number]
        ).map { row in
            StoredReport(
                sandboxID: row["sandbox"], podName: row["pod_name"],
                startedAt: Date(microseconds: row["started_at"]), duration: Duration(recordedSeconds: row["duration"]),
                outcome: row["outcome"], body: row["body"])
        }
    }

    static func keep(_ report: StoredReport, _ database: Database) throws {
        try database.perform(
            sql: """
                INSERT INTO report (sandbox, pod_name, started_at, duration, outcome, body) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                report.sandboxID, report.podName, report.startedAt.microseconds,
                report.duration.inSeconds, report.outcome, report.body,
            ])
        // The names of a pod's attempts differ only in the number at their end.
        try database.perform(
            sql: """
                DELETE FROM report WHERE number IN (
                    SELECT number FROM report WHERE rtrim(pod_name, '0123456789') = rtrim(?, '0123456789')
                    ORDER BY number DESC LIMIT -1 OFFSET ?)
                """,
            arguments: [report.podName, keptReportsOfPod])
        try database.perform(
            sql:
                "DELETE FROM report WHERE number IN (SELECT number FROM report ORDER BY number DESC LIMIT -1 OFFSET ?)",
            arguments: [keptReports])
    }
}
