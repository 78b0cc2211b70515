internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension PlanExecutor {
    /// Deletes a container from its runtime, with its cgroups, once it is proven that nothing of it lives.
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

    /// - Parameter isAssumed: Whether its death is assumed: a runtime might signal what lives all the same.
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
                detail: "\(container.runtime) has another container with this id by now; it is not touched")
        case .unreadable:
            // The runtime fails at it for ever.
            reply = try await deleteState(container, only)
        case .read where isAssumed, .notAsked where isAssumed:
            reply = try await deleteState(container, only)
        case .read where !evidence.isRuntimeUsable:
            // Some runtimes kill whatever lives in the cgroup.
            reply = try await deleteState(container, only)
        case .read, .notAsked:
            reply = try await call(.runtimeDelete(try target(container), .act(only: only)), atMost: options.runtimeCall)
        }
        // A runtime that hangs when it has done its work was killed, and has done its work.
        guard reply.isSuccess || reply.saysStateIsGone else {
            throw StepFailure(reply, of: "\(container.runtime) delete")
        }
        return reply.outcome == .alreadyDone ? .alreadyDone : .done
    }

    /// Removes what the runtime keeps of a container, without the runtime: there is proof that nothing lives.
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

    /// Removes what the runtime has left of the container's cgroups. Those in which others live go with the last of them.
    private func removeCgroups(
        of container: Container, _ evidence: ContainerEvidence, _ success: inout StepSuccess
    ) async throws(StepFailure) {
        for cgroup in evidence.cgroups {
            guard let identity = cgroup.identity, try await isThere(cgroup.path, identity) else { continue }
            // One that lies in another's is removed, unless somebody else has put processes into it.
            if let heir = cgroup.heirs.first ?? (cgroup.isEmpty ? nil : cgroup.sharers.first) {
                if try await leave(cgroup.path, identity, to: heir, &success) { continue }
            }
            try await remove(cgroup.path, identity)
            success.already = false
        }
        try await removeInherited(by: container, &success)
    }

    /// What others have left to this one when they went. Who is in it by now is no concern of the pod's.
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
                success.detail = "others live in the cgroup \(path) by now; it is left to them"
                continue
            }
            try await remove(path, identity)
            success.already = false
        }
    }

    /// Whether a cgroup is left to another. Who goes with this removal, and is gone by then, may not have seen that it was left one.
    private func leave(
        _ path: String, _ identity: FileIdentity, to heir: String, _ success: inout StepSuccess
    ) async throws(StepFailure) -> Bool {
        try await write { (registry) throws(RegistryError) in
            try registry.bequeathCgroup(path, identity, to: heir)
        }
        let lives = try await Threads.node.run { [life] () throws(StepFailure) in
            try orFail { () throws(ObservationError) in try life.lives(heir) }
        }
        guard lives else { return false }
        success.detail = "the cgroup \(path) is left to \(heir), which lives in it"
        return true
    }

    private func isThere(_ path: String, _ identity: FileIdentity) async throws(StepFailure) -> Bool {
        let found = try await Threads.node.run { () throws(StepFailure) in
            try orFail { () throws(ObservationError) in try Cgroup.identity(of: path) }
        }
        return found.map { $0.device == identity.device && $0.inode == identity.inode } ?? false
    }

    private func remove(_ path: String, _ identity: FileIdentity) async throws(StepFailure) {
        let place: Place
        do throws(RootError) {
            place = try roots.place(path, for: .remove, in: [.cgroup])
        } catch {
            throw StepFailure("the runtime left the cgroup \(path) behind; rmdir it, or add a cgroup-root: \(error)")
        }
        let slice = Slice(entries: options.sliceEntries)
        let reply = try await call(.removeDirectory(place, .act(only: nil, slice)), atMost: options.afterKill)
        guard reply.isSuccess else { throw StepFailure(reply, of: "remove the cgroup \(path)") }
    }
}
