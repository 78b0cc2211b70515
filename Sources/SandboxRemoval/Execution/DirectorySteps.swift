internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// How many helpers remove parts of one large directory in parallel. Other removals need the rest, and the filesystem's
/// locks would not let many more work at once.
private let shares: UInt8 = 2

extension PlanExecutor {
    /// Removes a directory slice by slice. The helper stops at a mount, so a mount that appeared meanwhile is detached,
    /// and the removal continues.
    func remove(_ directory: Container.Directory, _ step: Step) async throws(StepFailure) -> StepSuccess {
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .remove, in: [.sandbox, .container])
        }
        guard directory.identity != nil else { return try await left(directory, place) }
        var only = try await identity(of: directory, place)
        var slices = DirectorySlices(sliceBounds, mayShare: helpers.most >= Int(shares))
        while true {
            let request = Request.removeDirectory(place, .act(only: only, slices.slice))
            let asked = ContinuousClock.now
            let reply = try await call(
                request, atMost: options.runtimeCall, slice: slices.time, long: slices.entries > 0)
            let next = slices.next(after: reply.outcome, count: reply.entries, took: .now - asked)
            if reply.outcome == .inProgress { tell(.progress(step, entries: slices.entries)) }
            switch next {
            case .goOn: break
            case .share: slices.entries = await removeShares(of: place, only, step, after: slices.entries)
            case .detach:
                if try await detach(directory) == .anothers { return .another }
                only = try await identity(of: directory, place)
            case .end(let success): return success
            case .fail: throw StepFailure(reply)
            }
        }
    }

    private var sliceBounds: DirectorySlices.Bounds {
        DirectorySlices.Bounds(entries: options.sliceEntries, time: options.sliceTime, longest: options.runtimeCall)
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
    private func detach(_ directory: Container.Directory) async throws(StepFailure) -> Detached {
        if helpersSpeak(2) { return try await detachAll(of: directory) }
        try await unmountAll(beneath: directory.path)
        return .mounts
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
                entries += share.reply?.entries ?? 0
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
        return Share(index: index, reply: reply, next: sliceBounds.time(after: time, that: .now - asked))
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
    /// How many directory entries were removed.
    fileprivate var entries: UInt64 { if case .count(let count) = facts { count } else { 0 } }

    /// Whether the way to the place leads through a mount.
    var isBehindMount: Bool { if case .refused(.leavesRoot, _) = outcome { true } else { false } }

    /// Whether the place holds something other than what the request was for.
    var isMismatch: Bool { if case .refused(.identityMismatch, _) = outcome { true } else { false } }
}

extension NodeIdentity {
    init(_ identity: FileIdentity) {
        self.init(device: identity.device, inode: identity.inode, birth: identity.birth)
    }
}

extension FileIdentity {
    init(_ identity: NodeIdentity) {
        self.init(device: identity.device, inode: identity.inode, birth: identity.birth)
    }
}
