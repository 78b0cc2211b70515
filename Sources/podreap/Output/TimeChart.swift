import FoundationEssentials
internal import LinuxSystem
internal import SandboxRemoval

/// The steps of one removal, each with a bar from its start to its end, all on one scale.
struct TimeChart {
    private let report: RemovalReport
    private let page: TerminalWriter
    private let names: [String: String]

    init(_ report: RemovalReport, _ page: TerminalWriter) {
        self.report = report
        self.page = page
        names = Self.names(report)
    }

    func show() {
        let time = report.duration.text
        let parts = report.pod.split(separator: "_", maxSplits: 2)
        let pod = parts.count == 3 ? " (pod \(parts[1])/\(parts[0]))" : ""
        page.title(
            "\(report.purpose.rawValue) \(shortened(report.sandbox))\(pod): \(report.outcome.rawValue) in \(time)")
        if report.assumedDead == true {
            page.line(
                "containers that were not known to live were assumed dead, after root had looked at every process (--assume-dead)"
            )
        }
        let rows = report.steps.map { step in
            [names[step.subject] ?? shortened(step.subject), step.verb, last(step)]
        }
        let widths = (0..<3).map { column in min(28, rows.map { $0[column].count }.max() ?? 0) }
        let label = widths.reduce(0, +) + 2 * 3
        // Leaves room beside the bar for the time, and for the mark of a step that did not simply succeed.
        let columns = max(10, min(page.width, 100) - label - 12 - 9)
        for (step, row) in zip(report.steps, rows) {
            let cells = zip(row, widths).map { cell, width in
                String(cell.prefix(width)) + String(repeating: " ", count: max(0, width - cell.count) + 2)
            }
            let duration = step.outcome == .skipped ? "-" : step.duration.text
            page.line(
                cells.joined() + bar(step, columns) + String(repeating: " ", count: max(0, 11 - duration.count))
                    + duration
                    + mark(step))
        }
        for step in report.failures {
            let subject = names[step.subject] ?? shortened(step.subject)
            page.paragraph(
                abbreviated("\(subject), \(step.verb): \(step.detail ?? "failed")"), first: page.paint.red("FAILED "),
                firstWidth: 7, indent: 7)
        }
        for warning in report.warnings { page.line(page.paint.yellow("warning: \(warning)")) }
    }

    private func bar(_ step: StepRecord, _ columns: Int) -> String {
        let total = max(
            report.duration, report.steps.map { $0.start + $0.duration }.max() ?? .zero, .microseconds(1))
        let (from, length) = Self.span(step, total, columns)
        let block = page.stream.isTerminal && Self.isUnicode ? "█" : "#"
        let filled = step.outcome == .skipped ? " " : String(repeating: block, count: length)
        let painted = step.outcome == .failed ? page.paint.red(filled) : page.paint.green(filled)
        return String(repeating: " ", count: from) + painted
            + String(repeating: " ", count: max(0, columns - from - max(1, length)))
    }

    /// The first column of a step's bar, and the bar's length: at least one column, and within `columns`.
    private static func span(_ step: StepRecord, _ total: Duration, _ columns: Int) -> (from: Int, length: Int) {
        func column(_ time: Duration) -> Int {
            let position = (time / total * Double(columns)).rounded()
            return position.isFinite ? min(max(0, Int(position)), columns) : 0
        }
        let from = min(column(step.start), columns - 1)
        return (from, max(1, column(step.start + step.duration) - from))
    }

    private func mark(_ step: StepRecord) -> String {
        switch step.outcome {
        case .done: ""
        case .alreadyDone: page.paint.dim("  already")
        case .failed: page.paint.red("  FAILED")
        case .skipped: page.paint.yellow("  skipped")
        }
    }

    /// The last component of a path, or a target that is not a path. Empty for a released name, which is the pod's or
    /// container's own name.
    private func last(_ step: StepRecord) -> String {
        if ["release-name", "forget"].contains(step.verb) { return "" }
        let isPath = step.target.hasPrefix("/")
        return abbreviated(isPath ? String(step.target.split(separator: "/").last ?? "/") : step.target)
    }

    /// The registry forgets containers with their sandbox, but a report has the names that were released.
    private static func names(_ report: RemovalReport) -> [String: String] {
        var names = [report.sandbox: "sandbox"]
        for step in report.steps where step.verb == "release-name" {
            names[step.subject] = step.target.split(separator: "_").first.map(String.init)
        }
        let unnamed = Set(report.steps.map(\.subject)).subtracting(names.keys)
        if report.purpose == .remove, unnamed.count == 1, let infra = unnamed.first { names[infra] = "POD" }
        return names
    }

    /// Whether the terminal shows more than ASCII (locale(7)).
    private static var isUnicode: Bool {
        let locale = environmentVariable("LC_ALL") ?? environmentVariable("LC_CTYPE") ?? environmentVariable("LANG")
        let name = (locale ?? "").lowercased()
        return name.hasSuffix("utf-8") || name.hasSuffix("utf8")
    }
}
