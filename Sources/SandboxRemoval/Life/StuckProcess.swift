internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension PlanExecutor {
    func stuckOnThread(
        _ pids: [Int32], _ container: Container, _ evidence: ContainerEvidence, _ answer: Reply?,
        isShared: Bool = false
    ) async throws(StepFailure) -> StepFailure {
        try await Threads.node.run { () throws(StepFailure) in
            try self.stuck(pids, container, evidence, answer, isShared: isShared)
        }
    }

    /// Describes a process that lives although it was killed, or that could not be killed.
    private func stuck(
        _ pids: [Int32], _ container: Container, _ evidence: ContainerEvidence, _ answer: Reply?, isShared: Bool
    ) throws(StepFailure) -> StepFailure {
        let pid = pids.first ?? 0
        let status = try orFail { () throws(ObservationError) in try ProcessStatus.of(pid: pid) }
        let process =
            status.map { "process \(pid) (\(printable($0.name)), state \($0.state))" } ?? "process \(pid)"
        var text = isShared ? sharing(process, evidence) : lead(process, container, evidence, answer)
        if status?.state == "D" { text += ": it waits in the kernel for a disk or a network filesystem" }
        if let tracer = try orFail({ () throws(ObservationError) in try ProcessStatus.tracer(of: pid) }) {
            text +=
                ": process \(tracer) traces it, and has to go on or to end: kill -CONT \(tracer); kill -KILL \(tracer)"
        }
        if let frozen = try frozenCgroup(around: evidence) {
            text += ": the cgroup \(frozen.directory) is frozen; as root: echo \(frozen.thaws) > \(frozen.file)"
        }
        if let answer, !answer.isSuccess {
            text += "; \(StepFailure(answer, of: "\(container.runtime) kill").reason)"
        }
        return StepFailure(text)
    }

    /// Another container of the runtime lives in the cgroup, and no registry of podreap's knows it.
    private func sharing(_ process: String, _ evidence: ContainerEvidence) -> String {
        let place = evidence.cgroups.first { !$0.members.isEmpty }?.path ?? ""
        return """
            \(process) lives in the cgroup \(place), which another living container has too that is not registered; what \
            is known to be this one's was ended; remove that one first
            """
    }

    private func lead(
        _ process: String, _ container: Container, _ evidence: ContainerEvidence, _ answer: Reply?
    ) -> String {
        let populated = evidence.cgroups.first { !$0.members.isEmpty } ?? evidence.cgroups.first { $0.isThere }
        let place = populated.map { " in the cgroup \($0.path)" } ?? ""
        switch evidence.runtime {
        case .absent where answer?.outcome != .done:
            return "\(container.runtime) does not know the container any more, but its \(process) lives\(place)"
        case .ofAnother:
            return
                "\(container.runtime) now has another container with this id, but this one's \(process) lives\(place)"
        default: break
        }
        if answer == nil, let shared = evidence.cgroups.first(where: { !$0.ownMembers.isEmpty }) {
            return """
                its \(process) lives in the cgroup \(shared.path), which is also that of \
                \(shared.sharers.joined(separator: ", ")), so that it cannot be killed by its cgroup
                """
        }
        return "its \(process) lives\(place)\(answer == nil ? "" : " after KILL")"
    }

    private func frozenCgroup(around evidence: ContainerEvidence) throws(StepFailure) -> FrozenCgroup? {
        try orFail { () throws(ObservationError) in
            for cgroup in evidence.cgroups where cgroup.isThere {
                if let first = try FrozenCgroup.above(cgroup.path).first { return first }
            }
            return nil
        }
    }
}

extension StepFailure {
    init(_ cause: UnknownLife, _ container: Container, _ evidence: ContainerEvidence) {
        var text = cause.meaning
        if cause == .unreadableCgroup {
            for cgroup in evidence.cgroups {
                if case .unreadable(let reason) = cgroup.state { text += " (\(reason))" }
            }
        }
        self.init(
            """
            \(text); \(cause.remedy); or let root look at every process and assume it dead: \
            podreap remove \(container.sandboxID) --assume-dead
            """)
        self.cause = StepCause(kind: .unknownLife, rule: cause.rawValue)
    }

    init(livesThoughAssumedDead pids: [Int32]) {
        self.init(
            "its process \(pids.first ?? 0) lives; a removal that assumes death signals nobody: remove the pod without --assume-dead"
        )
    }

    init(anothersAfterReboot container: Container, _ pids: [Int32]) {
        self.init(
            """
            \(container.runtime) runs a container with this id as process \(pids.first ?? 0), but this one was registered \
            before the machine was booted: it is another's and is not touched
            """)
    }
}

extension StepSuccess {
    /// A step that relies on root's word, after a scan of every process. The history keeps the reason.
    init(assumedDead cause: UnknownLife) {
        self.init(already: true, detail: "assumed to be dead: \(cause.meaning)")
    }
}
