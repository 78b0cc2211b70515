internal import SandboxRegistry
internal import SandboxRemoval

/// An event as a JSON line. `event` names the event, which decides which fields are there.
struct EventLine: Encodable {
    let event: String
    let sandbox: String
    var step: PlannedStep?
    var steps: [PlannedStep]?
    var record: StepRecord?
    var entries: UInt64?
    var message: String?

    init(_ event: RemovalEvent, _ sandbox: String) {
        self.sandbox = sandbox
        switch event {
        case .waiting: self.event = "waiting"
        case .planned(let plan):
            self.event = "planned"
            steps = plan.steps.map(PlannedStep.init)
        case .started(let step):
            self.event = "started"
            self.step = PlannedStep(step)
        case .progress(let step, let entries):
            self.event = "progress"
            self.step = PlannedStep(step)
            self.entries = entries
        case .finished(_, let record):
            self.event = "finished"
            self.record = record
        case .warning(let text):
            self.event = "warning"
            message = text
        }
    }
}

/// The last line for a sandbox: `event` is `report`, or `unknown` if there is no report.
struct EndLine: Encodable {
    let event: String
    let sandbox: String
    var report: RemovalReport?
    var joined: Bool?
    var last: String?

    init(_ report: RemovalReport, joined: Bool) {
        event = "report"
        sandbox = report.sandbox
        self.report = report
        self.joined = joined
    }

    init(id: String, last: StoredReport?) {
        event = "unknown"
        sandbox = id
        self.last = last?.outcome
    }
}
