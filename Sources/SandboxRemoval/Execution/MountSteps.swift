internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

/// The largest number of mounts that one request detaches.
private let mountsAtOnce: UInt32 = 10_000
/// How many times mounts are looked for again, if some appear while mounts or directories are being removed.
let mountRounds = 8

extension PlanExecutor {
    /// Detaches the mounts at a directory and beneath it. A mount is the pod's if the directory that it covers or lies
    /// in is the recorded one, whenever it was mounted.
    ///
    /// - Parameter points: The mount points that were seen when the plan was made. A helper of protocol version 1
    ///   detaches only these.
    func unmount(_ points: [[UInt8]], beneath directory: Container.Directory) async throws(StepFailure) -> StepSuccess {
        if helpersSpeak(2) {
            return try await detachAll(of: directory).success ?? .alreadyDone
        }
        var success = StepSuccess.alreadyDone
        for point in points where try await unmount(point).outcome != .alreadyDone { success = .done }
        return success
    }

    func detachAll(of directory: Container.Directory) async throws(StepFailure) -> Detached {
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .unmount, in: [.sandbox, .container])
        }
        guard directory.identity != nil else { return .nothing }
        var detached = Detached.nothing
        var left = Int.max
        while let mount = try await mount(at: place) {
            guard
                mount.covers.matches(directory.identity, plan.isAfterReboot) || mount.isRecorded(as: directory.mountID)
            else {
                return mount.covers.inode == 0 ? detached : .anothers
            }
            let reply = try await call(.unmount(place, .act(only: mount.identity)), atMost: options.runtimeCall)
            guard reply.isSuccess || reply.isMismatch else { throw StepFailure(reply, of: "unmount \(directory.path)") }
            detached = .mounts
            left = left == .max ? Int(Limits.sliceEntries) : left - 1
            guard left > 0 else { throw StepFailure("mounts keep appearing at \(directory.path)") }
        }
        guard let only = try await identity(of: directory, place) else { return detached }
        while true {
            let request = Request.unmountBeneath(place, only: only, most: mountsAtOnce)
            let reply = try await call(request, atMost: options.runtimeCall)
            if case .count(let count) = reply.facts, count > 0 { detached = .mounts }
            switch reply.outcome {
            case .inProgress: continue
            // Another directory is at the path by now, so the mounts in it are not the pod's.
            case .done, .alreadyDone, .refused(.identityMismatch, _): return detached
            case .refused where try await isNoDirectory(place): return detached
            default: throw StepFailure(reply, of: "unmount what lies beneath \(directory.path)")
            }
        }
    }

    /// The topmost mount at a place and what the stack of mounts there covers; nil if nothing is mounted. Needs a
    /// helper of protocol version 2.
    private func mount(at place: Place) async throws(StepFailure) -> SeenMount? {
        try seenMount(try await call(.unmount(place, .look), atMost: options.runtimeCall))
    }

    private func seenMount(_ reply: Reply) throws(StepFailure) -> SeenMount? {
        switch (reply.outcome, reply.facts) {
        case (.done, .mountPoint(let identity, let covers)): return SeenMount(identity: identity, covers: covers)
        case (.alreadyDone, _): return nil
        default: throw StepFailure(reply, of: "look at what is mounted")
        }
    }

    /// Detaches the pod's shared memory: the recorded mount, or a mount that covers the recorded directory.
    func unmountShm(_ path: String) async throws(StepFailure) -> StepSuccess {
        guard helpersSpeak(2) else {
            let reply = try await unmount(Array(path.utf8))
            return reply.outcome == .alreadyDone ? .alreadyDone : .done
        }
        let place = try orFail { () throws(RootError) in
            try roots.place(path, for: .unmount, in: [.sandbox, .container])
        }
        if let id = plan.sandbox.shmMountID, !plan.isAfterReboot {
            let only = MountIdentity(id: id, unique: true)
            let reply = try await call(.unmount(place, .act(only: only)), atMost: options.runtimeCall)
            if reply.outcome == .done { return .done }
            if reply.outcome == .alreadyDone { return .alreadyDone }
            if reply.isBehindMount { return try await unmountWithDirectory(around: path, reply) }
            guard reply.isMismatch else { throw StepFailure(reply, of: "unmount \(path)") }
        }
        return try await unmountOwn(path, place)
    }

    /// Used if no mount is recorded, or if the mount there is not the recorded one. A mount is the pod's if it lies in
    /// a recorded directory.
    private func unmountOwn(_ path: String, _ place: Place) async throws(StepFailure) -> StepSuccess {
        var success = StepSuccess.alreadyDone
        for _ in 0..<mountRounds {
            let look = try await call(.unmount(place, .look), atMost: options.runtimeCall)
            if look.isBehindMount { return try await unmountWithDirectory(around: path, look) }
            guard let mount = try seenMount(look) else { return success }
            let isCovering = mount.covers.matches(plan.sandbox.shmIdentity, plan.isAfterReboot)
            let isRecorded = plan.sandbox.shmMountID == nil && plan.sandbox.shmIdentity == nil
            guard try await liesInRecordedDirectory(path) ?? (isCovering || isRecorded) else {
                return StepSuccess(
                    already: true, detail: "what is mounted at \(path) now is not the pod's and stays")
            }
            let reply = try await call(.unmount(place, .act(only: mount.identity)), atMost: options.runtimeCall)
            guard reply.isSuccess || reply.isMismatch else { throw StepFailure(reply, of: "unmount \(path)") }
            success = .done
        }
        throw StepFailure("mounts keep appearing at \(path)")
    }

    /// Whether the recorded directory that contains a path is still there; nil if no recorded directory contains it.
    private func liesInRecordedDirectory(_ path: String) async throws(StepFailure) -> Bool? {
        guard let directory = recordedDirectory(around: path) else { return nil }
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .remove, in: [.sandbox, .container])
        }
        let reply = try await call(.removeDirectory(place, .look(cursor: 0)), atMost: options.runtimeCall)
        guard case .directory(let facts) = reply.facts else { return reply.outcome == .alreadyDone ? false : nil }
        return facts.identity.matches(directory.identity, plan.isAfterReboot)
    }

    /// Handles a path that leads through a mount over the pod's directory. Both go when the directory is removed.
    private func unmountWithDirectory(around path: String, _ reply: Reply) async throws(StepFailure) -> StepSuccess {
        guard let directory = recordedDirectory(around: path) else { throw StepFailure(reply, of: "unmount \(path)") }
        if !plan.purpose.removes {
            return StepSuccess(
                already: true,
                detail: "something is mounted over \(directory.path): the removal deletes what lies there too")
        }
        if let success = try await detachAll(of: directory).success { return success }
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .remove, in: [.sandbox, .container])
        }
        guard try await isNoDirectory(place) else { throw StepFailure(reply, of: "unmount \(path)") }
        return StepSuccess(
            already: true, detail: "what is at \(directory.path) is no directory, so it is not the pod's"
        )
    }

    private func recordedDirectory(around path: String) -> Container.Directory? {
        let all = [plan.sandbox.ownDirectory] + plan.containers.flatMap(\.directories)
        return all.first { $0.identity != nil && $0.path != path && isBeneath($0.path, path) }
    }

    @discardableResult
    private func unmount(_ path: [UInt8]) async throws(StepFailure) -> Reply {
        let place = try orFail { () throws(RootError) in
            try roots.place(path, for: .unmount, in: [.sandbox, .container])
        }
        for _ in 0..<mountRounds {
            let reply = try await call(.unmount(place, .act(only: nil)), atMost: options.runtimeCall)
            if case .refused(.tooManyMounts, _) = reply.outcome { continue }
            guard reply.isSuccess else { throw StepFailure(reply, of: "unmount \(printable(path))") }
            return reply
        }
        throw StepFailure("mounts keep appearing at \(printable(path))")
    }

    /// Detaches every mount at a directory and beneath it, as mountinfo lists them now.
    func unmountAll(beneath directory: String) async throws(StepFailure) {
        let path = roots.canonical(Array(directory.utf8))
        for _ in 0..<mountRounds {
            let table: MountTable
            do throws(ObservationError) {
                table = try await Threads.node.run { () throws(ObservationError) in
                    try MountTable.ofNode(serviceManager: helpers.serviceManager)
                }
            } catch {
                throw StepFailure(error)
            }
            let mounts = table.outermost(beneath: path)
            if mounts.isEmpty { return }
            for point in mounts { try await unmount(point) }
        }
        throw StepFailure("mounts keep appearing beneath \(directory)")
    }
}

/// What became of the mounts at a recorded directory and beneath it.
enum Detached {
    case nothing, mounts
    /// Another directory is at the path, under a mount. Neither is the pod's, and both stay.
    case anothers

    /// What the step has achieved; nil if there was nothing to detach.
    var success: StepSuccess? {
        switch self {
        case .nothing: nil
        case .mounts: .done
        case .anothers: .another
        }
    }
}

extension StepSuccess {
    /// The recorded directory is gone. What is now at its path is not the pod's, and nothing of the pod is there.
    static var another: StepSuccess {
        StepSuccess(already: true, detail: "another directory is at its path; that one is not the pod's and stays")
    }
}

/// A mount that a helper sees at a place.
private struct SeenMount {
    var identity: MountIdentity
    /// The directory or file that the mounts cover; all 0 if it cannot be seen.
    var covers: NodeIdentity

    /// False on a kernel that reuses mount ids, because its ids do not identify a mount.
    func isRecorded(as id: UInt64?) -> Bool { identity.unique && identity.id == id }
}
