import ArgumentParser
import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval

struct History: RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Lists past removals and stops, newest first, or shows how long each step of one took.")

    @OptionGroup var common: CommonOptions

    @Option(help: "How many to list at most.")
    var limit = 20

    @Flag(help: "Show the steps of each, with a bar for the time of each step.")
    var steps = false

    @Flag(help: "Print whole ids.")
    var noTrunc = false

    @Argument(
        help: """
            A sandbox's id, the beginning of one id, or a pod's name or NAMESPACE/NAME. Shows the steps of its newest removal too.
            """)
    var pod: String?

    func validate() throws {
        guard 1...Registry.keptReports ~= limit else {
            throw ValidationError("--limit takes a number from 1 to \(Registry.keptReports)")
        }
    }

    func run() throws {
        let stored = try common.openRegistry().reports(of: pod, limit: limit)
        if common.json {
            for report in stored { Stream.output.write(String(decoding: report.body, as: UTF8.self) + "\n") }
            return
        }
        if let pod, stored.isEmpty { throw UsageError("the registry knows no removal of \(pod)") }
        let page = TerminalWriter(.output)
        if steps {
            show(stored, page)
            return
        }
        page.stream.write(table(Self.rows(stored, noTrunc)))
        if pod != nil, let newest = stored.first {
            page.line("")
            show([newest], page)
        }
    }

    private static func rows(_ stored: [StoredReport], _ noTrunc: Bool) -> [[String]] {
        var rows = [["WHEN", "SANDBOX", "POD", "WHAT", "OUTCOME", "TIME", "STEPS", "SLOWEST STEP"]]
        for entry in stored {
            let report = RemovalReport(entry)
            let slowest = report?.steps.max { $0.duration < $1.duration }
            let name = PodMetadata.names(reserved: entry.podName).map { "\($0.namespace)/\($0.name)" } ?? entry.podName
            rows.append([
                "\(age(since: entry.startedAt)) ago", shortened(entry.sandboxID, noTrunc), name,
                what(report), entry.outcome, entry.duration.text,
                report.map { "\($0.steps.count)" } ?? "-",
                slowest.map { "\($0.verb) (\($0.duration.text))" } ?? "-",
            ])
        }
        return rows
    }

    private static func what(_ report: RemovalReport?) -> String {
        guard let report else { return "-" }
        return report.purpose.rawValue + (report.assumedDead == true ? ", assumed dead" : "")
    }

    private func show(_ stored: [StoredReport], _ page: TerminalWriter) {
        for (index, entry) in stored.enumerated() {
            if index > 0 { page.line("") }
            guard let report = RemovalReport(entry) else {
                complain("warning: the report of \(shortened(entry.sandboxID)) cannot be read")
                continue
            }
            TimeChart(report, page).show()
        }
    }
}
