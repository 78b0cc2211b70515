internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

// A runtime's exit status is never believed, nor that it does not know a container: what counts is the evidence.

extension PlanExecutor {
    /// What is known now of whether a container lives.
    func evidence(of container: Container, briefly: Bool = false) async throws(StepFailure) -> ContainerEvidence {
        try await life.evidence(of: container, briefly: briefly) { (request) throws(StepFailure) in
            try await call(request, atMost: options.runtimeCall)
        }
    }

    /// Ends a container's processes. Success: it is proven that none lives.
    func end(_ container: Container, signal: UInt8, grace: Duration) async throws(StepFailure) -> StepSuccess {
        let evidence = try await evidence(of: container, briefly: true)
        switch evidence.verdict {
        case .gone: return .alreadyDone
        case .unknown(let cause) where options.assumesDeath: return StepSuccess(assumedDead: cause)
        case .unknown(let cause): throw StepFailure(cause, container, evidence)
        case .alive(let pids) where plan.isAfterReboot: throw StepFailure(anothersAfterReboot: container, pids)
        case .alive(let pids) where options.assumesDeath: throw StepFailure(livesThoughAssumedDead: pids)
        case .alive: break
        }
        await record(evidence.cgroups, of: container)
        if let process = evidence.livingInit {
            let inode = process == container.process ? container.identity.processInode : nil
            let found: KnownProcess?
            do throws(ObservationError) {
                found = try await KnownProcess.find(pid: process.pid, startTime: process.startTime, inode: inode)
            } catch {
                throw StepFailure(error)
            }
            if let found { try await endInit(found, container, evidence, signal: signal, grace: grace) }
        }
        return try await endRest(container)
    }

    /// Keeps cgroups that only the runtime's state names, before the first signal: when it is gone, others must still be seen to share
    /// them. A registry that cannot be written stops nothing.
    private func record(_ cgroups: [ContainerEvidence.OwnCgroup], of container: Container) async {
        let new = cgroups.map(\.path).filter { !container.cgroups.contains($0) }
        if new.isEmpty || plan.isAfterReboot { return }
        try? await write { (registry) throws(RegistryError) in
            var found: [String: FileIdentity] = [:]
            for path in new {
                found[path] = (try? Cgroup.identity(of: path)).flatMap { $0 }.map {
                    FileIdentity(device: $0.device, inode: $0.inode)
                }
            }
            try registry.recordCgroups(found, of: container.id)
        }
    }

    /// How long a process takes to end, unless something is wrong.
    static var usualEnd: Duration { .milliseconds(200) }

    /// Signals the init, and waits for it. The handle was opened before, so no other process can be taken for it.
    private func endInit(
        _ process: KnownProcess, _ container: Container, _ evidence: ContainerEvidence, signal: UInt8,
        grace: Duration
    ) async throws(StepFailure) {
        if signal != Signal.kill {
            do throws(StepFailure) {
                try await signalInit(container, evidence, signal)
            } catch {
                // Nobody knows whether a helper that died had it sent. Sent twice is better than not at all.
                guard error.cause?.kind == .helper else { throw error }
                try await signalInit(container, evidence, signal)
            }
            if await hasEnded(process, within: grace) { return }
        }
        try await signalInit(container, evidence, Signal.kill)
        _ = await process.handle.wait(until: min(deadline, .now + min(options.afterKill, Self.usualEnd)))
    }

    /// Gives a process time to end by itself: less where somebody waits who wants it to have none.
    private func hasEnded(_ process: KnownProcess, within grace: Duration) async -> Bool {
        let end = min(deadline, .now + grace)
        while !isHurried() {
            if await process.handle.wait(until: min(end, .now + .milliseconds(100))) { return true }
            if end <= .now { break }
        }
        return process.handle.isGone
    }

    /// Through the runtime's own record where that can be; else by the cgroups. A runtime that fails is no reason to stop here.
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

    /// Ends whatever lives of a container whose init is gone, or cannot be reached: again and again, as processes fork, by each way
    /// that there is, until nothing lives or the time is over.
    private func endRest(_ container: Container) async throws(StepFailure) -> StepSuccess {
        var until = min(deadline, .now + options.afterKill)
        var answer: Reply?
        var killed = false
        // The helper knows of a container that the registry does not: the runtime would kill that one too.
        var isShared = false
        var round = 0
        while true {
            defer { round += 1 }
            let evidence = try await evidence(of: container)
            guard case .alive(let pids) = evidence.verdict else {
                if case .unknown(let cause) = evidence.verdict { throw StepFailure(cause, container, evidence) }
                return StepSuccess(detail: killed ? "processes outlived the container's init and were killed" : nil)
            }
            if round > 0, ContinuousClock.now >= until {
                throw try await stuckOnThread(pids, container, evidence, answer)
            }
            let way = KillWay.allCases[round % KillWay.allCases.count]
            if let reply = try await kill(container, evidence, by: isShared ? .cgroups : way) {
                isShared = isShared || reply.isOfSharedCgroup
                answer = reply
                killed = killed || !reply.isRefusal
            }
            if !killed, round == KillWay.allCases.count {
                // There is no way to reach them: they go by themselves at once, or not at all.
                until = min(until, .now + .seconds(1))
            }
            await wait(for: pids, until: min(until, .now + Self.usualEnd))
        }
    }

    /// In the order of what they reach.
    private enum KillWay: CaseIterable { case cgroups, runtime, delete }

    /// nil where that way is not there.
    private func kill(
        _ container: Container, _ evidence: ContainerEvidence, by way: KillWay
    ) async throws(StepFailure) -> Reply? {
        switch way {
        case .cgroups: return try await killInCgroups(container, evidence, Signal.kill)
        case .runtime:
            guard evidence.isRuntimeUsable else { return nil }
            return try await runtimeKill(container, evidence, Signal.kill, all: true)
        case .delete:
            // With init dead some runtimes refuse to kill, but end what is left when they delete.
            guard evidence.isRuntimeUsable else { return nil }
            return try await call(
                .runtimeDelete(try target(container), .act(only: evidence.stateDirectory.map(NodeIdentity.init))),
                atMost: options.runtimeCall)
        }
    }

    /// Waits until these have ended. They may be in a list still for a moment after that.
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
        // The runtime was not even started, so nothing was sent that could be waited for.
        case .failed(let failure) where failure.errno != 0: throw StepFailure(reply, of: "\(container.runtime) kill")
        default: return reply
        }
    }

    /// Signals what lives in the container's own cgroups, without the runtime. What is shared with another container is left alone.
    /// nil where the helper cannot, or there is none that may.
    private func killInCgroups(
        _ container: Container, _ evidence: ContainerEvidence, _ signal: UInt8
    ) async throws(StepFailure) -> Reply? {
        guard helpersSpeak(2), let target = try? target(container) else { return nil }
        let targets = evidence.cgroups.filter { $0.isThere && $0.sharers.isEmpty }.compactMap {
            cgroup -> CgroupTarget? in
            guard let identity = cgroup.identity, let place = try? roots.place(cgroup.path, for: .signal, in: [.cgroup])
            else { return nil }
            return CgroupTarget(place: place, identity: NodeIdentity(identity), isExclusive: true)
        }
        guard !targets.isEmpty else { return nil }
        var reply: Reply?
        for start in stride(from: 0, to: targets.count, by: Limits.cgroupTargets) {
            let part = Array(targets[start..<min(start + Limits.cgroupTargets, targets.count)])
            let only = evidence.stateDirectory.map(NodeIdentity.init)
            let request = Request.runtimeKillCgroups(target, .act(only: only), signal: signal, part)
            reply = try await call(request, atMost: options.runtimeCall)
        }
        return reply
    }

    func target(_ container: Container) throws(StepFailure) -> RuntimeTarget {
        try orFail { () throws(RootError) in try roots.target(container.id, runtime: container.runtime) }
    }
}

extension Reply {
    /// Whether another container of the runtime lives in the cgroup, beneath or above it.
    var isOfSharedCgroup: Bool { if case .refused(.cgroupShared, _) = outcome { true } else { false } }
    var isRefusal: Bool { if case .refused = outcome { true } else { false } }
    var isSuccess: Bool { outcome == .done || outcome == .alreadyDone }

    /// Whether a runtime was run, and the helper saw afterwards that it has no state of the container.
    var saysStateIsGone: Bool {
        guard case .runtime(let runtime) = facts else { return false }
        return runtime.stateDirectory == nil
    }
}
