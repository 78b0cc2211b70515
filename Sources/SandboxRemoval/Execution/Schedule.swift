internal import SandboxRegistry

/// Decides which steps of a plan may begin. All its state is here, so its rules can be tested without a container.
struct Schedule {
    /// How many containers are worked on at once: `first`, plus `more` each time that they take long, up to `most`.
    struct ContainerLimit: Equatable {
        var first: Int
        var more: Int
        var most: Int
    }

    /// An event that changes the schedule.
    enum Event {
        case finished(StepRecord)
        /// Containers have been worked on for the usual time that they need.
        case waited
    }

    private let plan: RemovalPlan
    private let limit: ContainerLimit
    private var containersAtOnce: Int
    private var waiting: [Step]
    private var records: [Int: StepRecord] = [:]
    /// Whether a finished or skipped step lets its dependants begin, by step number.
    private var opensWay: [Int: Bool] = [:]
    /// The number of running steps of each subject.
    private var running: [String: Int] = [:]
    private var isHeldBack = false
    private var isTimed = false

    init(_ plan: RemovalPlan, containers limit: ContainerLimit) {
        self.plan = plan
        self.limit = limit
        containersAtOnce = min(limit.first, limit.most)
        waiting = plan.steps
    }

    var hasRunning: Bool { !running.isEmpty }

    /// The records of the steps that have finished, in the plan's order.
    var finished: [StepRecord] { plan.steps.compactMap { records[$0.number] } }

    /// Takes the steps that can never begin, each with the failed step that blocks it; the caller must `record` each.
    mutating func takeBlocked() -> [(step: Step, cause: Step)] {
        var blocked: [(step: Step, cause: Step)] = []
        var later: [Step] = []
        for step in waiting {
            guard let cause = step.dependencies.first(where: { opensWay[$0] == false }) else {
                later.append(step)
                continue
            }
            opensWay[step.number] = false
            blocked.append((step, plan.steps[cause]))
        }
        waiting = later
        return blocked
    }

    /// Takes the steps that begin now, in the plan's order.
    mutating func takeReady() -> [Step] {
        var ready: [Step] = []
        var later: [Step] = []
        isHeldBack = false
        for step in waiting {
            let isFree = step.dependencies.allSatisfy { opensWay[$0] == true }
            if isFree, !exceedsLimit(step) {
                running[step.subject.id, default: 0] += 1
                ready.append(step)
            } else {
                isHeldBack = isHeldBack || isFree
                later.append(step)
            }
        }
        waiting = later
        return ready
    }

    /// Whether the caller should start a timer in parallel with the steps and then apply `waited`. It should if the
    /// limit alone holds back some steps.
    mutating func takeTimer() -> Bool {
        guard isHeldBack, !isTimed, containersAtOnce < limit.most else { return false }
        isTimed = true
        return true
    }

    mutating func apply(_ event: Event) {
        switch event {
        case .waited:
            isTimed = false
            containersAtOnce = min(containersAtOnce + limit.more, limit.most)
        case .finished(let record):
            let left = (running[record.subject] ?? 0) - 1
            running[record.subject] = left > 0 ? left : nil
            self.record(record)
        }
    }

    /// Records how a step has ended, or that it was skipped.
    mutating func record(_ record: StepRecord) {
        records[record.number] = record
        // A registry that cannot be written must not prevent a removal, which may free the space that it lacks.
        let isMark = plan.steps[record.number].action == .markRemoving
        opensWay[record.number] = record.succeeded || isMark
    }

    /// Whether the step would begin work on one container more than the limit allows.
    private func exceedsLimit(_ step: Step) -> Bool {
        guard case .container(let id) = step.subject, running[id] == nil else { return false }
        return running.keys.count { $0 != plan.sandbox.id } >= containersAtOnce
    }
}
