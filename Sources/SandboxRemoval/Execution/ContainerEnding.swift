internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

// Neither a runtime's exit status nor its claim not to know a container is trusted. Only the evidence counts.

extension PlanExecutor {
    /// The current evidence of whether a container lives.
    func evidence(of container: Container) async throws(StepFailure) -> ContainerEvidence {
        try await life.evidence(of: container) { (request) throws(StepFailure) in
            try await call(request, atMost: options.runtimeCall)
        }
    }

    /// Ends a container's processes. Success means that evidence proves that none lives.
    func end(_ container: Container, signal: UInt8, grace: Duration) async throws(StepFailure) -> StepSuccess {
        let (evidence, process) = try await life.evidenceAndInit(of: container) { (request) throws(StepFailure) in
            try await call(request, atMost: options.runtimeCall)
        }
        switch evidence.verdict {
        case .gone: return .alreadyDone
        case .unknown(let cause) where options.assumesDeath: return StepSuccess(assumedDead: cause)
        case .unknown(let cause): throw StepFailure(cause, container, evidence)
        case .alive(let pids) where plan.isAfterReboot: throw StepFailure(anothersAfterReboot: container, pids)
        case .alive(let pids) where options.assumesDeath: throw StepFailure(livesThoughAssumedDead: pids)
        case .alive: break
        }
        await record(evidence.cgroups, of: container)
        if let process { try await endInit(process, container, evidence, signal: signal, grace: grace) }
        return try await endRest(container)
    }

    /// Records cgroups that only the runtime's state names, before the first signal. After that state is gone, the
    /// record still shows which other containers share them. A registry that cannot be written is ignored.
    private func record(_ cgroups: [ContainerEvidence.OwnCgroup], of container: Container) async {
        let new = cgroups.map(\.path).filter { !container.cgroups.contains($0) }
        if new.isEmpty || plan.isAfterReboot { return }
        try? await write(isSpare: true) { (registry, deadline) throws(RegistryError) in
            var found: [String: FileIdentity] = [:]
            for path in new { found[path] = (try? Cgroup.fileIdentity(of: path)) ?? nil }
            try registry.recordCgroups(found, of: container.id, until: deadline)
        }
    }

    /// The longest that a process usually takes to end.
    static var usualEnd: Duration { .milliseconds(200) }

    /// Signals the init process and waits for its end. The handle was opened before, so no other process is meant.
    private func endInit(
        _ process: KnownProcess, _ container: Container, _ evidence: ContainerEvidence, signal: UInt8,
        grace: Duration
    ) async throws(StepFailure) {
        if signal != Signal.kill {
            do throws(StepFailure) {
                try await signalInit(container, evidence, signal)
            } catch {
                // Nobody knows whether the helper that died had the signal sent. Sending it twice is better than never.
                guard error.cause?.kind == .helper else { throw error }
                try await signalInit(container, evidence, signal)
            }
            if await hasEnded(process, within: grace) { return }
        }
        try await signalInit(container, evidence, Signal.kill)
        _ = await process.handle.wait(until: min(deadline, .now + min(options.afterKill, Self.usualEnd)))
    }

    /// Gives a process time to end by itself, but stops early if a waiting call wants it to have no more time.
    private func hasEnded(_ process: KnownProcess, within grace: Duration) async -> Bool {
        let end = min(deadline, .now + grace)
        while !isHurried() {
            if await process.handle.wait(until: min(end, .now + .milliseconds(100))) { return true }
            if end <= .now { break }
        }
        return process.handle.isGone
    }

    /// Signals through the runtime if its state is usable, or else through the cgroups. A runtime that fails does not
    /// stop the removal here.
    private func signalInit(
        _ container: Container, _ evidence: ContainerEvidence, _ signal: UInt8
    ) async throws(StepFailure) {
        switch evidence.runtime {
        case .read, .notAsked:
            let reply = try await runtimeKill(container, evidence, signal, all: false)
            if reply.outcome == .done { return }
        case .absent, .ofAnother, .unreadable: break
        }
        _ = try await killInCgroups(container, try await self.evidence(of: container), signal)
    }

    /// Ends what lives of a container whose init process is gone or cannot be reached.
    private func endRest(_ container: Container) async throws(StepFailure) -> StepSuccess {
        var rounds = KillRounds(until: min(deadline, .now + options.afterKill))
        var answer: Reply?
        while true {
            let evidence = try await evidence(of: container)
            guard case .alive(let pids) = evidence.verdict else {
                if case .unknown(let cause) = evidence.verdict { throw StepFailure(cause, container, evidence) }
                return StepSuccess(
                    detail: rounds.hasKilled ? "processes outlived the container's init and were killed" : nil)
            }
            guard let way = rounds.next(at: .now) else {
                throw try await stuckOnThread(pids, container, evidence, answer, isShared: rounds.isShared)
            }
            let reply = try await kill(container, evidence, by: way)
            rounds.apply(KillRounds.Effect(reply), of: way, at: .now)
            answer = reply ?? answer
            await wait(for: pids, until: min(rounds.end, .now + Self.usualEnd))
        }
    }

    /// nil if that way is not available.
    private func kill(
        _ container: Container, _ evidence: ContainerEvidence, by way: KillRounds.Way
    ) async throws(StepFailure) -> Reply? {
        switch way {
        case .cgroups: return try await killInCgroups(container, evidence, Signal.kill)
        case .own: return try await killInCgroups(container, evidence, Signal.kill, isShared: true)
        case .runtime:
            guard evidence.isRuntimeUsable else { return nil }
            return try await runtimeKill(container, evidence, Signal.kill, all: true)
        case .delete:
            // With the init process dead, some runtimes refuse to kill, but end remaining processes when they delete.
            guard evidence.isRuntimeUsable else { return nil }
            return try await call(
                .runtimeDelete(try target(container), .act(only: evidence.stateDirectory.map(NodeIdentity.init))),
                atMost: options.runtimeCall)
        }
    }

    /// Waits until these processes have ended. They may still be listed for a moment after that.
    private func wait(for pids: [Int32], until deadline: ContinuousClock.Instant) async {
        for pid in pids {
            guard let process = try? await KnownProcess.find(pid: pid) else { continue }
            guard await process.handle.wait(until: deadline) else { return }
        }
        await Task.yield()
    }

    private func runtimeKill(
        _ container: Container, _ evidence: ContainerEvidence, _ signal: UInt8, all: Bool
    ) async throws(StepFailure) -> Reply {
        let only = evidence.stateDirectory.map(NodeIdentity.init)
        let request = Request.runtimeKill(try target(container), .act(only: only), signal: signal, all: all)
        let reply = try await call(request, atMost: options.runtimeCall)
        switch reply.outcome {
        case .refused: throw StepFailure(reply, of: "\(container.runtime) kill")
        // The runtime was not even started, so no signal was sent whose effect could be waited for.
        case .failed(let failure) where failure.errno != 0: throw StepFailure(reply, of: "\(container.runtime) kill")
        default: return reply
        }
    }

    /// Signals the processes in the container's own cgroups without the runtime, and in cgroups that it shares those
    /// that are known to be its own. nil if the helper is too old, or nothing may be signalled.
    func killInCgroups(
        _ container: Container, _ evidence: ContainerEvidence, _ signal: UInt8, isShared: Bool = false
    ) async throws(StepFailure) -> Reply? {
        guard helpersSpeak(2), let target = try? target(container) else { return nil }
        if isShared { return try await killOwn(container, evidence, signal, isShared: true) }
        let targets = evidence.cgroups.filter { $0.isThere && $0.sharers.isEmpty }.compactMap {
            cgroup -> CgroupTarget? in
            guard let identity = cgroup.identity, let place = try? roots.place(cgroup.path, for: .signal, in: [.cgroup])
            else { return nil }
            return CgroupTarget(place: place, identity: NodeIdentity(identity), isExclusive: true)
        }
        var reply = try await killOwn(container, evidence, signal, isShared: false)
        for start in stride(from: 0, to: targets.count, by: Limits.cgroupTargets) {
            let part = Array(targets[start..<min(start + Limits.cgroupTargets, targets.count)])
            let only = evidence.stateDirectory.map(NodeIdentity.init)
            let request = Request.runtimeKillCgroups(target, .act(only: only), signal: signal, part)
            reply = try await call(request, atMost: options.runtimeCall)
        }
        return reply
    }

    /// Signals the container's processes in cgroups that it shares, one by one.
    private func killOwn(
        _ container: Container, _ evidence: ContainerEvidence, _ signal: UInt8, isShared: Bool
    ) async throws(StepFailure) -> Reply? {
        let target = try target(container)
        let only = evidence.stateDirectory.map(NodeIdentity.init)
        var reply: Reply?
        // The same process is in a cgroup of each hierarchy.
        var known: Set<Int32> = []
        for cgroup in try await ownProcesses(of: container, evidence, isShared: isShared) {
            guard let identity = cgroup.identity, let place = try? roots.place(cgroup.path, for: .signal, in: [.cgroup])
            else { continue }
            let own = cgroup.ownMembers.filter { $0.startTime != 0 && known.insert($0.pid).inserted }
            for start in stride(from: 0, to: own.count, by: Limits.cgroupProcesses) {
                let part = own[start..<min(start + Limits.cgroupProcesses, own.count)].map {
                    ProcessIdentity(pid: UInt32(bitPattern: $0.pid), startTime: $0.startTime)
                }
                let targets = ProcessTargets(place: place, identity: NodeIdentity(identity), processes: part)
                reply = try await call(
                    .runtimeKillProcesses(target, .act(only: only), signal: signal, targets),
                    atMost: options.runtimeCall)
            }
        }
        return reply
    }

    /// The shared cgroups with the processes in them that are certainly the container's, its init among them.
    private func ownProcesses(
        of container: Container, _ evidence: ContainerEvidence, isShared: Bool
    ) async throws(StepFailure) -> [ContainerEvidence.OwnCgroup] {
        var cgroups = evidence.cgroups.filter { $0.isThere && (isShared || !$0.sharers.isEmpty) }
        if cgroups.isEmpty { return [] }
        if isShared { cgroups = try await life.withOwnMembers(of: container, cgroups) }
        guard let process = evidence.livingInit else { return cgroups }
        for index in cgroups.indices where cgroups[index].state.pids.contains(process.pid) {
            if !cgroups[index].ownMembers.contains(process) { cgroups[index].ownMembers.append(process) }
        }
        return cgroups
    }

    func target(_ container: Container) throws(StepFailure) -> RuntimeTarget {
        try orFail { () throws(RootError) in try roots.target(container.id, runtime: container.runtime) }
    }
}

extension KillRounds.Effect {
    /// - Parameter reply: The last answer to a try; nil if nothing was asked.
    init(_ reply: Reply?) {
        self =
            if let reply {
                reply.isOfSharedCgroup
                    ? .sharedCgroup
                    : reply.isRefusal ? .refused : reply.outcome == .alreadyDone ? .nothingThere : .tried
            } else {
                .unavailable
            }
    }
}

extension Reply {
    /// Whether another container of the runtime lives in the cgroup, beneath it or above it.
    fileprivate var isOfSharedCgroup: Bool { if case .refused(.cgroupShared, _) = outcome { true } else { false } }
    fileprivate var isRefusal: Bool { if case .refused = outcome { true } else { false } }
    var isSuccess: Bool { outcome == .done || outcome == .alreadyDone }

    /// Whether a runtime ended by itself with an error, and left its state of the container.
    var saysRuntimeFailed: Bool {
        guard case .failed = outcome, case .runtime(let runtime) = facts else { return false }
        return runtime.status > 0 && runtime.stateDirectory != nil
    }

    /// Whether a runtime was run and the helper then saw that the runtime has no state of the container.
    var saysStateIsGone: Bool {
        guard case .runtime(let runtime) = facts else { return false }
        return runtime.stateDirectory == nil
    }
}
