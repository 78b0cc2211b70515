internal import LinuxSystem
internal import SandboxRegistry
internal import SandboxRemoval
internal import Synchronization

/// Shows the progress of a removal: a line for each step that ends, followed on a terminal by the running steps, or
/// JSON.
final class Progress: Sendable {
    enum Style: Sendable { case live, plain, json }

    private struct State {
        var plan: RemovalPlan?
        /// Running steps in the order of their starts, with the entries that each has removed.
        var running: [(step: Step, since: ContinuousClock.Instant, entries: UInt64)] = []
        /// How many lines beneath the last finished step the next output replaces.
        var drawn = 0
        var ticking = false
    }

    private let style: Style
    private let sandbox: String
    private let several: Bool
    private let paint: Paint
    private let state = Mutex(State())

    init(_ style: Style, _ sandbox: String, several: Bool) {
        self.style = style
        self.sandbox = sandbox
        self.several = several
        paint = Paint(enabled: style == .live && Paint.isWanted)
    }

    func tell(_ event: RemovalEvent) {
        if style == .json { return Stream.output.tell(jsonLine(EventLine(event, sandbox))) }
        state.withLock { state in
            switch event {
            case .waiting: put("waiting for another podreap that is busy with it", &state)
            case .planned(let plan):
                state.plan = plan
                put(paint.bold("\(plan.purpose.rawValue) \(shortened(sandbox)) \(Self.title(plan))"), &state)
            case .started(let step): state.running.append((step, .now, 0))
            case .progress(let step, let entries):
                if let index = state.running.firstIndex(where: { $0.step == step }) {
                    state.running[index].entries = entries
                }
            case .finished(let step, let record):
                state.running.removeAll { $0.step == step }
                for line in lines(step, record, state.plan) { put(line, &state) }
            case .warning(let text): put(paint.yellow("warning: \(text)"), &state)
            }
            if style == .live { startTicking(&state) }
        }
    }

    /// Prints how the work ended, and returns the exit status.
    func end(_ answer: RemovalAnswer) -> Status {
        clear()
        switch answer {
        case .unknown(let id, let last):
            let past = last.map { "; \(shortened($0.sandboxID)) was \($0.outcome) before" } ?? ""
            complain("warning: no sandbox \(id) is registered, so nothing is to be done\(past)")
            if style == .json { Stream.output.write(jsonLine(EndLine(id: id, last: last))) }
            return .done
        case .finished(let report, let joined):
            if style == .json {
                Stream.output.write(jsonLine(EndLine(report, joined: joined)))
            } else {
                let how = joined ? " by another podreap" : ""
                let time = report.duration.text
                let text = "\(report.outcome.rawValue) \(shortened(report.sandbox))\(how) in \(time)"
                Stream.output.write((report.outcome == .incomplete ? paint.red(text) : paint.green(text)) + "\n")
            }
            if report.outcome == .incomplete { explain(report) }
            return report.outcome == .incomplete ? .incomplete : .done
        }
    }

    /// Erases the running steps from the terminal.
    func clear() { state.withLock { erase(&$0) } }

    private func explain(_ report: RemovalReport) {
        for failure in report.failures {
            let what = [failure.verb, shortened(failure.subject), failure.target].filter { !$0.isEmpty }
            complain("\(shortened(report.sandbox)): \(what.joined(separator: " ")): \(failure.detail ?? "failed")")
        }
        complain(
            "\(shortened(report.sandbox)) is not \(report.purpose == .stop ? "stopped" : "removed"); run it again to go on"
        )
    }

    private static func title(_ plan: RemovalPlan) -> String {
        let pod = plan.sandbox.metadata
        return "(pod \(pod.namespace)/\(pod.name)): \(plan.containers.count) containers, \(plan.steps.count) steps"
    }

    private func lines(_ step: Step, _ record: StepRecord, _ plan: RemovalPlan?) -> [String] {
        let mark =
            switch record.outcome {
            case .done: paint.green("done   ")
            case .alreadyDone: paint.dim("already")
            case .failed: paint.red("FAILED ")
            case .skipped: paint.yellow("skipped")
            }
        let time = record.outcome == .skipped ? "" : record.duration.text
        let padded = String(repeating: " ", count: max(0, 10 - time.count)) + time
        let entries = record.entries.map { " (\($0) entries)" } ?? ""
        var lines = ["  \(mark)\(padded)  \(subject(step, plan))  \(abbreviated("\(step)"))\(entries)"]
        if let detail = record.detail, record.outcome != .skipped { lines.append("             \(detail)") }
        return lines
    }

    private func subject(_ step: Step, _ plan: RemovalPlan?) -> String {
        guard let plan else { return shortened(step.subject.id) }
        let width = (plan.containers.map(\.name.count) + ["sandbox".count]).max() ?? 0
        let name = plan.name(of: step)
        return name + String(repeating: " ", count: max(0, width - name.count))
    }

    // MARK: The terminal

    private func put(_ line: String, _ state: inout State) {
        let prefix = several ? "\(shortened(sandbox))  " : ""
        let erasing = erasure(&state)
        Stream.output.tell(erasing + prefix + line + "\n" + (style == .live ? drawing(&state) : ""))
    }

    private func erase(_ state: inout State) {
        state.running = []
        let text = erasure(&state)
        if !text.isEmpty { Stream.output.write(text) }
    }

    private func erasure(_ state: inout State) -> String {
        defer { state.drawn = 0 }
        return state.drawn > 0 ? "\u{1b}[\(state.drawn)A\u{1b}[J" : ""
    }

    /// The running steps, cut to the terminal's width: a line that wraps could not be erased.
    private func drawing(_ state: inout State) -> String {
        let width = Stream.output.columns - 1
        var text = ""
        for (step, since, entries) in state.running {
            let time = (.now - since).text
            let count = entries > 0 ? " (\(entries) entries)" : ""
            let padded = String(repeating: " ", count: max(0, 10 - time.count)) + time
            text +=
                paint.dim(
                    String(
                        "  ...    \(padded)  \(subject(step, state.plan))  \(abbreviated("\(step)"))\(count)".prefix(
                            width)))
                + "\n"
        }
        state.drawn = state.running.count
        return text
    }

    /// Redraws every 100 ms while a step runs; most removals end before the first redraw.
    private func startTicking(_ state: inout State) {
        guard !state.ticking, !state.running.isEmpty else { return }
        state.ticking = true
        Task { [weak self] in
            while true {
                try? await Task.sleep(for: .milliseconds(100))
                guard let self, self.tick() else { return }
            }
        }
    }

    private func tick() -> Bool {
        state.withLock { state in
            state.ticking = !state.running.isEmpty
            guard state.ticking else { return false }
            // A terminal that was halted (^S) gets no further output.
            guard Stream.output.isRead else { return true }
            Stream.output.tell(erasure(&state) + drawing(&state))
            return true
        }
    }
}

/// Colours (ECMA-48), or none.
struct Paint: Sendable {
    let enabled: Bool

    /// Whether the user wants colours (https://no-color.org).
    static var isWanted: Bool { environmentVariable("NO_COLOR") == nil && environmentVariable("TERM") != "dumb" }

    func green(_ text: String) -> String { wrap(text, 32) }
    func red(_ text: String) -> String { wrap(text, 31) }
    func yellow(_ text: String) -> String { wrap(text, 33) }
    func bold(_ text: String) -> String { wrap(text, 1) }
    func dim(_ text: String) -> String { wrap(text, 2) }

    private func wrap(_ text: String, _ code: Int) -> String { enabled ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}
