internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

extension PlanExecutor {
    // MARK: The pod's own cgroups

    /// Removes the pod's own cgroups, after its containers are gone.
    func remove(_ cgroups: [PodCgroup]) async throws(StepFailure) -> StepSuccess {
        var success = StepSuccess.alreadyDone
        for cgroup in cgroups {
            // What was not there at the registration was never seen to be the pod's.
            guard let identity = cgroup.identity, try await isThere(cgroup.path, identity) else { continue }
            if let heir = try await leave(cgroup) {
                success.detail = "the cgroup \(cgroup.path) is left to the sandbox \(heir), which has it too"
                continue
            }
            try await refuseMembers(of: cgroup.path)
            try await remove(cgroup.path, identity)
            success.already = false
        }
        return success
    }

    /// Leaves a cgroup to another sandbox that has it too. Returns that sandbox's id; nil if there is none.
    private func leave(_ cgroup: PodCgroup) async throws(StepFailure) -> String? {
        let id = plan.sandbox.id
        let sharers = try await Threads.registry.run { [registry] () throws(StepFailure) in
            try orFail { () throws(RegistryError) in try registry.sharers(ofPodCgroup: cgroup.path, besides: id) }
        }
        for heir in sharers {
            let left = Mutex(false)
            try await write { (registry, deadline) throws(RegistryError) in
                let isLeft = try registry.leaveCgroup(cgroup, to: heir, until: deadline)
                left.withLock { $0 = isLeft }
            }
            if left.withLock({ $0 }) { return heir }
        }
        return nil
    }

    /// Throws if a process lives in a pod's own cgroup. It belongs to none of the pod's containers, so podreap may not end
    /// it: it is another program, or a monitor that has not ended yet.
    private func refuseMembers(of path: String) async throws(StepFailure) {
        let end = min(deadline, .now + Self.usualEnd)
        var left = try await members(of: path)
        while let first = left.first, .now < end {
            if let process = try? await KnownProcess.find(pid: first.pid) { _ = await process.handle.wait(until: end) }
            await Task.yield()
            left = try await members(of: path)
        }
        guard let first = left.first else { return }
        throw StepFailure(
            """
            process \(first.pid) (\(printable(first.name))) lives in the pod's own cgroup \(path), and is none \
            of its containers'; end it, or move it elsewhere
            """)
    }

    private func members(of path: String) async throws(StepFailure) -> [(pid: Int32, name: String)] {
        try await Threads.node.run { () throws(StepFailure) in
            try orFail { () throws(ObservationError) in
                var found: [(pid: Int32, name: String)] = []
                for pid in try Cgroup.members(of: [path]) {
                    found.append((pid, try ProcessStatus.of(pid: pid)?.name ?? ""))
                }
                return found
            }
        }
    }

    // MARK: Any cgroup

    /// The cgroups that are still there, with their identities. They are looked at together, because a runtime usually
    /// leaves none.
    func remaining(
        _ cgroups: [ContainerEvidence.OwnCgroup]
    ) async throws(StepFailure) -> [(cgroup: ContainerEvidence.OwnCgroup, identity: FileIdentity)] {
        try await Threads.node.run { () throws(StepFailure) in
            try orFail { () throws(ObservationError) in
                var found: [(cgroup: ContainerEvidence.OwnCgroup, identity: FileIdentity)] = []
                for cgroup in cgroups {
                    guard let identity = cgroup.identity, try Cgroup.identity(of: cgroup.path, is: identity) else {
                        continue
                    }
                    found.append((cgroup, identity))
                }
                return found
            }
        }
    }

    func isThere(_ path: String, _ identity: FileIdentity) async throws(StepFailure) -> Bool {
        try await Threads.node.run { () throws(StepFailure) in
            try orFail { () throws(ObservationError) in try Cgroup.identity(of: path, is: identity) }
        }
    }

    /// Removes one cgroup, if it is still the recorded one.
    func remove(_ path: String, _ identity: FileIdentity) async throws(StepFailure) {
        let place: Place
        do throws(RootError) {
            place = try roots.place(path, for: .remove, in: [.cgroup])
        } catch {
            throw StepFailure("the cgroup \(path) is left behind; rmdir it, or add a cgroup-root: \(error)")
        }
        let slice = Slice(entries: options.sliceEntries)
        let only = NodeIdentity(identity)
        let reply = try await call(.removeDirectory(place, .act(only: only, slice)), atMost: options.afterKill)
        // Another container's cgroup has the path by now.
        if case .refused(.identityMismatch, _) = reply.outcome { return }
        guard reply.isSuccess else { throw StepFailure(reply, of: "remove the cgroup \(path)") }
    }
}

extension Cgroup {
    /// Whether the cgroup at a path is there and is the one that was recorded.
    fileprivate static func identity(of path: String, is recorded: FileIdentity) throws(ObservationError) -> Bool {
        guard let found = try identity(of: path) else { return false }
        return found.device == recorded.device && found.inode == recorded.inode
    }
}
