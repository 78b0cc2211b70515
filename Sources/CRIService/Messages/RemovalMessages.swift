internal import CRIMessages
internal import SandboxRegistry
internal import SandboxRemoval
internal import SwiftProtobuf

// Converts plans, events and reports to messages.

extension Podreap_V1_RemovePodSandboxResponse {
    init(_ event: RemovalEvent) {
        self.init()
        switch event {
        case .waiting: waiting = Podreap_V1_Waiting()
        case .planned(let plan): planned = Podreap_V1_PlanResponse(plan)
        case .started(let step): started = Podreap_V1_Step(step)
        case .progress(let step, let entries):
            progress = .with {
                $0.step = Podreap_V1_Step(step)
                $0.entries = entries
            }
        case .finished(_, let record): finished = Podreap_V1_StepRecord(record)
        case .warning(let text): warning = text
        }
    }
}

extension Podreap_V1_PlanResponse {
    init(_ plan: RemovalPlan) {
        self.init()
        podSandboxID = plan.sandbox.id
        steps = plan.steps.map(Podreap_V1_Step.init)
        afterReboot = plan.isAfterReboot
    }
}

extension Podreap_V1_Step {
    init(_ step: Step) {
        self.init()
        number = UInt32(step.number)
        verb = step.verb
        subject = step.subject.id
        target = step.target
        text = step.description
        after = step.dependencies.map { UInt32($0) }
    }
}

extension Podreap_V1_StepRecord {
    init(_ record: StepRecord) {
        self.init()
        number = UInt32(record.number)
        verb = record.verb
        subject = record.subject
        target = record.target
        outcome =
            switch record.outcome {
            case .done: .done
            case .alreadyDone: .alreadyDone
            case .failed: .failed
            case .skipped: .skipped
            }
        detail = record.detail ?? ""
        start = record.start.inSeconds
        duration = record.duration.inSeconds
        entries = record.entries ?? 0
    }
}

extension Podreap_V1_Report {
    init(_ report: RemovalReport) {
        self.init()
        podSandboxID = report.sandbox
        pod = report.pod
        purpose = report.purpose.rawValue
        outcome = report.outcome.rawValue
        startedAt = report.startedAt.nanoseconds
        duration = report.duration.inSeconds
        steps = report.steps.map(Podreap_V1_StepRecord.init)
        warnings = report.warnings
    }
}

extension Podreap_V1_ExplainResponse {
    init(_ explanation: Explanation) {
        self.init()
        blocked = explanation.isBlocked
        findings = explanation.findings.map { finding in
            .with {
                $0.cause = finding.cause.rawValue
                $0.weight = finding.weight.rawValue
                $0.subject = finding.subject
                $0.text = finding.text
                $0.evidence = finding.evidence.map(\.text)
                $0.remedies = finding.remedies
            }
        }
    }
}

extension Podreap_V1_Garbage {
    init(_ verdict: GarbageVerdict) {
        self.init()
        kind = verdict.item.kindName
        path = verdict.item.path
        age = verdict.age?.inSeconds ?? -1
        switch verdict.decision {
        case .known: outcome = .kept
        case .keep(let why): (outcome, reason) = (.kept, why)
        case .remove(let why): (outcome, reason) = (.removable, why)
        }
    }
}
