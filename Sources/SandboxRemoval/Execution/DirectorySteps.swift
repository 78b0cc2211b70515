internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// How many helpers remove parts of one large directory in parallel. More would be missing for other removals, and the
/// filesystem's locks let few more work at once.
private let shares: UInt8 = 2
/// A directory is large if this many entries were removed and some are left.
private let largeDirectory: UInt32 = 4000

extension PlanExecutor {
    /// Removes a directory slice by slice. The helper stops at a mount, so a mount that appeared meanwhile is detached,
    /// and the removal continues.
    func remove(_ directory: Container.Directory, _ step: Step) async throws(StepFailure) -> StepSuccess {
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .remove, in: [.sandbox, .container])
        }
        guard directory.identity != nil else { return try await left(directory, place) }
        var only = try await identity(of: directory, place)
        var slice = Slice(entries: min(options.sliceEntries, largeDirectory))
        var time = options.sliceTime
        var entries: UInt64 = 0
        var rounds = 0
        var isShared = helpers.most < Int(shares)
        while true {
            let request = Request.removeDirectory(place, .act(only: only, slice))
            let asked = ContinuousClock.now
            let reply = try await call(request, atMost: options.runtimeCall, slice: time, long: entries > 0)
            time = nextSlice(after: time, that: .now - asked)
            if case .count(let count) = reply.facts { entries += count }
            switch reply.outcome {
            case .done: return StepSuccess(entries: entries)
            case .alreadyDone: return entries > 0 ? StepSuccess(entries: entries) : .alreadyDone
            case .inProgress:
                tell(.progress(step, entries: entries))
                if !isShared { entries = await removeShares(of: place, only, step, after: entries) }
                isShared = true
                slice = Slice(entries: options.sliceEntries)
            case .timedOut where time < options.runtimeCall: time = options.runtimeCall
            case .refused(.mountBeneath, _) where rounds < mountRounds:
                rounds += 1
                try await detach(directory)
                only = try await identity(of: directory, place)
            // The recorded directory is gone. What is now at its path is not the pod's, and nothing of the pod is here.
            case .refused(.identityMismatch, _):
                return StepSuccess(
                    already: true, detail: "another directory is at its path; that one is not the pod's and stays")
            case .refused(.notDirectory, _):
                return StepSuccess(
                    already: true, detail: "what is at its path is no directory, so it is not the pod's and stays")
            default: throw StepFailure(reply)
            }
        }
    }

    /// Nothing existed when the pod was registered, so what is there now was never seen to be the pod's and is left.
    private func left(_ directory: Container.Directory, _ place: Place) async throws(StepFailure) -> StepSuccess {
        let reply = try await call(.removeDirectory(place, .look(cursor: 0)), atMost: options.runtimeCall)
        guard reply.outcome != .alreadyDone else { return .alreadyDone }
        return StepSuccess(
            already: true, detail: "nothing was there when the pod was registered; what is there now stays")
    }

    /// Whether something other than a directory is at the path, such as a link; the recorded one is gone then.
    func isNoDirectory(_ place: Place) async throws(StepFailure) -> Bool {
        let reply = try await call(.removeDirectory(place, .look(cursor: 0)), atMost: options.runtimeCall)
        return if case .refused(.notDirectory, _) = reply.outcome { true } else { false }
    }

    /// Detaches the mounts that the removal of a directory has met.
    private func detach(_ directory: Container.Directory) async throws(StepFailure) {
        if helpersSpeak(2) {
            _ = try await detachAll(of: directory)
        } else {
            try await unmountAll(beneath: directory.path)
        }
    }

    /// How long the next request for a directory may last. One that took more than twice its time entered many
    /// directories before it reached the first entry. The next request has to enter them again, so it gets more time.
    private func nextSlice(after time: Duration, that took: Duration) -> Duration {
        took > time * 2 ? max(time, options.runtimeCall) : time
    }

    /// Has each of several helpers remove a share of a directory's entries until it is empty or meets an obstacle,
    /// which the next request for the whole directory meets too. Returns the total number of entries removed.
    private func removeShares(
        of place: Place, _ only: NodeIdentity?, _ step: Step, after before: UInt64
    ) async -> UInt64 {
        var entries = before
        await withTaskGroup(of: Share.self) { group in
            for index in 0..<shares {
                group.addTask { await removeShare(index, of: place, only, within: options.sliceTime) }
            }
            for await share in group {
                if case .count(let count) = share.reply?.facts { entries += count }
                guard share.reply?.outcome == .inProgress else { continue }
                tell(.progress(step, entries: entries))
                group.addTask { await removeShare(share.index, of: place, only, within: share.next) }
            }
        }
        return entries
    }

    private struct Share: Sendable {
        let index: UInt8
        let reply: Reply?
        /// How long the next request for this share may last.
        let next: Duration
    }

    private func removeShare(
        _ index: UInt8, of place: Place, _ only: NodeIdentity?, within time: Duration
    ) async -> Share {
        let slice = Slice(entries: options.sliceEntries, index: index, count: shares)
        let request = Request.removeDirectory(place, .act(only: only, slice))
        let asked = ContinuousClock.now
        let reply = try? await call(request, atMost: options.runtimeCall, slice: time, long: true)
        return Share(index: index, reply: reply, next: nextSlice(after: time, that: .now - asked))
    }

    /// The directory that may be removed. Device numbers may change with a boot; the recorded inode and birth decide
    /// after one. The birth is unknown if a mount covered the directory when it was recorded.
    func identity(of directory: Container.Directory, _ place: Place) async throws(StepFailure) -> NodeIdentity? {
        guard let recorded = directory.identity.map(NodeIdentity.init) else { return nil }
        guard plan.isAfterReboot || recorded.birth == 0 else { return recorded }
        let reply = try await call(.removeDirectory(place, .look(cursor: 0)), atMost: options.runtimeCall)
        guard case .directory(let found) = reply.facts,
            found.identity.matches(directory.identity, plan.isAfterReboot)
        else { return recorded }
        return found.identity
    }
}

extension Reply {
    /// Whether the way to the place leads through a mount.
    var isBehindMount: Bool { if case .refused(.leavesRoot, _) = outcome { true } else { false } }

    /// Whether the place holds something other than what the request was for.
    var isMismatch: Bool { if case .refused(.identityMismatch, _) = outcome { true } else { false } }
}

extension NodeIdentity {
    /// Compares what a mount covers, whose birth is unknown.
    func matches(_ recorded: FileIdentity?, ignoringBirth: Bool) -> Bool {
        guard let recorded, inode != 0 else { return false }
        return device == recorded.device && inode == recorded.inode && (ignoringBirth || birth == recorded.birth)
    }

    init(_ identity: FileIdentity) {
        self.init(device: identity.device, inode: identity.inode, birth: identity.birth)
    }
}

extension FileIdentity {
    init(_ identity: NodeIdentity) {
        self.init(device: identity.device, inode: identity.inode, birth: identity.birth)
    }
}
