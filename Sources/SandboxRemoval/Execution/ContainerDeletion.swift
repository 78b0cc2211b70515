internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

extension PlanExecutor {
    /// Deletes a container from its runtime and removes its cgroups, once evidence proves that nothing of it lives.
    func delete(_ container: Container) async throws(StepFailure) -> StepSuccess {
        var evidence: ContainerEvidence
        if let proof = life.proof(of: container) {
            evidence = proof
        } else {
            evidence = try await self.evidence(of: container)
        }
        if case .alive = evidence.verdict, !options.assumesDeath {
            _ = try await end(container, signal: Signal.kill, grace: .zero)
            evidence = try await self.evidence(of: container)
        }
        var isAssumed = false
        switch evidence.verdict {
        case .gone: break
        case .alive(let pids) where options.assumesDeath: throw StepFailure(livesThoughAssumedDead: pids)
        case .alive(let pids): throw try await stuckOnThread(pids, container, evidence, nil)
        case .unknown where options.assumesDeath: isAssumed = true
        case .unknown(let cause): throw StepFailure(cause, container, evidence)
        }
        var success = try await deleteFromRuntime(container, evidence, isAssumed: isAssumed)
        if !plan.isAfterReboot { try await removeCgroups(of: container, evidence, &success) }
        return success
    }

    /// - Parameter isAssumed: Whether the container's death is only assumed. The runtime is not called then, because it
    ///   might signal living processes.
    private func deleteFromRuntime(
        _ container: Container, _ evidence: ContainerEvidence, isAssumed: Bool
    ) async throws(StepFailure) -> StepSuccess {
        let only = evidence.stateDirectory.map(NodeIdentity.init)
        let reply: Reply
        switch evidence.runtime {
        case .absent: return .alreadyDone
        case .ofAnother:
            return StepSuccess(
                already: true,
                detail: "\(container.runtime) now has another container with this id, which is not touched")
        case .unreadable:
            // The runtime can never delete a container whose state it cannot read.
            reply = try await deleteState(container, only)
        case .read where isAssumed, .notAsked where isAssumed:
            reply = try await deleteState(container, only)
        case .read where !evidence.isRuntimeUsable:
            // Some runtimes kill whatever lives in the cgroup.
            reply = try await deleteState(container, only)
        case .read, .notAsked:
            let request = Request.runtimeDelete(try target(container), .act(only: only))
            let first = try await call(request, atMost: options.runtimeCall)
            reply = try await deleteAgain(container, evidence, request, after: first)
        }
        // A runtime that was killed because it hung may have done its work before.
        guard reply.isSuccess || reply.saysStateIsGone else {
            throw StepFailure(reply, of: "\(container.runtime) delete")
        }
        return reply.outcome == .alreadyDone ? .alreadyDone : .done
    }

    /// Calls a runtime once more that has failed. A cgroup can vanish while a runtime reads it, because another
    /// container's deletion has taken it along. And a runtime that was ended while it signalled leaves the cgroup
    /// frozen, which it takes for paused; to kill in cgroups thaws them.
    private func deleteAgain(
        _ container: Container, _ evidence: ContainerEvidence, _ request: Request, after reply: Reply
    ) async throws(StepFailure) -> Reply {
        guard reply.saysRuntimeFailed else { return reply }
        _ = try await killInCgroups(container, evidence, Signal.kill)
        return try await call(request, atMost: options.runtimeCall)
    }

    /// Removes the runtime's state of a container without the runtime. Nothing has to be killed, because it is proven
    /// or assumed that nothing of the container lives.
    private func deleteState(_ container: Container, _ only: NodeIdentity?) async throws(StepFailure) -> Reply {
        guard helpersSpeak(2), let only else {
            throw StepFailure(
                """
                \(container.runtime) cannot delete the container, because its state is damaged or its cgroup is another's too, and \
                the installed podreap-helper is too old to do it; as root, remove its directory beneath the runtime's state root
                """)
        }
        return try await call(.runtimeForget(try target(container), only: only), atMost: options.runtimeCall)
    }

    /// Removes the cgroups that the runtime has left behind. A cgroup in which other containers live is removed with
    /// the last of them.
    private func removeCgroups(
        of container: Container, _ evidence: ContainerEvidence, _ success: inout StepSuccess
    ) async throws(StepFailure) {
        for (cgroup, identity) in try await remaining(evidence.cgroups) {
            // A cgroup inside another container's is removed, unless it has processes that may be a sharer's.
            if let heir = cgroup.heirs.first ?? (cgroup.isEmpty ? nil : cgroup.sharers.first) {
                if try await leave(cgroup.path, identity, to: heir, &success) { continue }
            }
            try await remove(cgroup.path, identity)
            success.already = false
        }
        try await removeInherited(by: container, &success)
    }

    /// Removes the cgroups that other containers left to this one when they were removed. Processes in such a cgroup
    /// are not the pod's.
    private func removeInherited(
        by container: Container, _ success: inout StepSuccess
    ) async throws(StepFailure) {
        guard life.mayInherit(container) else { return }
        let inherited = try await Threads.registry.run { [registry] () throws(StepFailure) in
            try orFail { () throws(RegistryError) in try registry.inheritedCgroups(of: container.id) }
        }
        for (path, identity) in inherited {
            guard try await isThere(path, identity) else { continue }
            let sharers = try await Threads.registry.run { [registry] () throws(StepFailure) in
                try orFail { () throws(RegistryError) in try registry.sharers(of: [path], besides: container.id) }
            }
            let heirs = sharers.filter { isBeneath(path, $0.theirs) }.map(\.container)
            if let heir = heirs.first, try await leave(path, identity, to: heir, &success) { continue }
            let members = try await Threads.node.run { () throws(StepFailure) in
                try orFail { () throws(ObservationError) in try Cgroup.members(of: [path]) }
            }
            guard members.isEmpty else {
                success.detail = "processes of others live in the cgroup \(path) now, so it stays"
                continue
            }
            try await remove(path, identity)
            success.already = false
        }
    }

    /// Leaves a cgroup to another container, unless that one is already gone. A container that goes in the same removal
    /// may have finished before it could see that a cgroup was left to it.
    private func leave(
        _ path: String, _ identity: FileIdentity, to heir: String, _ success: inout StepSuccess
    ) async throws(StepFailure) -> Bool {
        try await write { (registry, deadline) throws(RegistryError) in
            try registry.bequeathCgroup(path, identity, to: heir, until: deadline)
        }
        let lives = try await Threads.node.run { [life] () throws(StepFailure) in
            try orFail { () throws(ObservationError) in try life.lives(heir) }
        }
        guard lives else { return false }
        success.detail = "the cgroup \(path) stays, because \(heir) lives in it"
        return true
    }
}
