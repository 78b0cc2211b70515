internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// How often the mounts beneath a directory are looked at again, where some appear while it is being removed.
private let mountRounds = 8
/// How many helpers remove parts of one large directory side by side. More would keep them from other removals, and the
/// filesystem's locks let few more in.
private let shares: UInt8 = 2
/// A directory is large where this many entries were removed and some are left.
private let largeDirectory: UInt32 = 4000

extension Executor {
    /// Detaches mounts that were seen when the plan was made. Nobody looks again: that reads the whole node's table, and
    /// the directory's removal stops at what is left.
    func unmount(_ points: [[UInt8]]) async throws(StepFailure) -> StepSuccess {
        var success = StepSuccess.alreadyDone
        for point in points where try await unmount(point).outcome != .alreadyDone { success = .done }
        return success
    }

    /// Detaches every mount at a directory and beneath it, as mountinfo lists them now.
    private func unmountAll(beneath directory: String) async throws(StepFailure) {
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

    func unmountShm(_ path: String) async throws(StepFailure) -> StepSuccess {
        let reply = try await unmount(Array(path.utf8))
        return reply.outcome == .alreadyDone ? .alreadyDone : .done
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

    /// Removes a directory slice by slice. The helper stops where something is mounted, so a mount that appeared meanwhile
    /// is detached, and the removal goes on.
    func remove(_ directory: Container.Directory, _ step: Step) async throws(StepFailure) -> StepSuccess {
        let place = try orFail { () throws(RootError) in
            try roots.place(directory.path, for: .remove, in: [.sandbox, .container])
        }
        let only = try await identity(of: directory, place)
        var slice = Slice(entries: min(options.sliceEntries, largeDirectory))
        var time = options.sliceTime
        var entries: UInt64 = 0
        var rounds = 0
        var isShared = helpers.most < Int(shares)
        while true {
            let request = Request.removeDirectory(place, .act(only: only, slice))
            let reply = try await call(request, atMost: options.runtimeCall, slice: time, long: entries > 0)
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
                try await unmountAll(beneath: directory.path)
            default: throw StepFailure(reply)
            }
        }
    }

    /// Has helpers remove a share of a directory's entries each, until it has no more or meets what is in its way: the next
    /// request for the whole meets that too. How many entries are gone then.
    private func removeShares(
        of place: Place, _ only: NodeIdentity?, _ step: Step, after before: UInt64
    ) async -> UInt64 {
        var entries = before
        await withTaskGroup(of: (index: UInt8, reply: Reply?).self) { group in
            for index in 0..<shares { group.addTask { await removeShare(index, of: place, only) } }
            for await (index, reply) in group {
                if case .count(let count) = reply?.facts { entries += count }
                guard reply?.outcome == .inProgress else { continue }
                tell(.progress(step, entries: entries))
                group.addTask { await removeShare(index, of: place, only) }
            }
        }
        return entries
    }

    private func removeShare(
        _ index: UInt8, of place: Place, _ only: NodeIdentity?
    ) async -> (index: UInt8, reply: Reply?) {
        let slice = Slice(entries: options.sliceEntries, index: index, count: shares)
        let request = Request.removeDirectory(place, .act(only: only, slice))
        let reply = try? await call(request, atMost: options.runtimeCall, slice: options.sliceTime, long: true)
        return (index, reply)
    }

    /// Which directory may be removed. Device numbers may change with a boot, so after one the directory that has the
    /// recorded inode and birth is taken for the recorded one.
    private func identity(of directory: Container.Directory, _ place: Place) async throws(StepFailure) -> NodeIdentity?
    {
        guard let recorded = directory.identity.map(NodeIdentity.init) else { return nil }
        guard plan.isAfterReboot, recorded.birth != 0 else { return recorded }
        let reply = try await call(.removeDirectory(place, .look(cursor: 0)), atMost: options.runtimeCall)
        guard case .directory(let found) = reply.facts, found.identity.inode == recorded.inode,
            found.identity.birth == recorded.birth
        else { return recorded }
        return found.identity
    }

    func delete(_ pin: NamespacePin) async throws(StepFailure) -> StepSuccess {
        let place = try orFail { () throws(RootError) in
            try roots.place(pin.path, for: .deleteNamespace, in: [pin.kind.rootKind])
        }
        let only = pin.identity.map(NodeIdentity.init)
        var reply = try await call(.deleteNetworkNamespace(place, .act(only: only)), atMost: options.runtimeCall)
        if case .refused(.identityMismatch, _) = reply.outcome, let file = try await unmountedPin(place) {
            reply = try await call(.deleteNetworkNamespace(place, .act(only: file)), atMost: options.runtimeCall)
        }
        guard reply.isSuccess else { throw StepFailure(reply) }
        if plan.purpose == .stop {
            try await write { (registry) throws(RegistryError) in
                try registry.closeNamespace(pin.path, of: plan.sandbox.id)
            }
        }
        return StepSuccess(already: reply.outcome == .alreadyDone, detail: await inhabitants(of: pin))
    }

    /// Who keeps the namespace without its pin; nil: nobody, or it was not looked for.
    private func inhabitants(of pin: NamespacePin) async -> String? {
        guard let network = networks.first(where: { $0.path == pin.path }) else { return nil }
        let found = await Threads.looking.run { (try? network.inhabitants()) ?? [] }
        if found.isEmpty { return nil }
        let named = found.prefix(Self.maximumNamed).map { "\($0.pid) (\(printable(Array($0.name.utf8))))" }
        let more = found.count > named.count ? " and \(found.count - named.count) more" : ""
        return """
            the pin is gone, but not the namespace, with its interfaces and addresses: \(found.count == 1 ? "process" : "processes") \
            \(named.joined(separator: ", "))\(more) \(found.count == 1 ? "lives" : "live") in it
            """
    }

    private static var maximumNamed: Int { 16 }

    /// The file that is left where somebody has unmounted the namespace: it is not what was registered, and holds nothing.
    private func unmountedPin(_ place: Place) async throws(StepFailure) -> NodeIdentity? {
        let reply = try await call(.deleteNetworkNamespace(place, .look), atMost: options.runtimeCall)
        guard case .namespace(let identity, mounted: false) = reply.facts else { return nil }
        return identity
    }
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

extension NamespaceKind {
    var rootKind: RootKind {
        switch self {
        case .network: .networkNamespace
        case .ipc: .ipcNamespace
        case .uts: .utsNamespace
        }
    }
}
