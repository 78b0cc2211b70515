internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension PlanExecutor {
    func delete(_ pin: NamespacePin) async throws(StepFailure) -> StepSuccess {
        let place = try orFail { () throws(RootError) in
            try roots.place(pin.path, for: .deleteNamespace, in: [pin.kind.rootKind])
        }
        guard let recorded = pin.identity else {
            let reply = try await call(.deleteNamespace(place, .look), atMost: options.runtimeCall)
            guard reply.outcome != .alreadyDone else { return .alreadyDone }
            return StepSuccess(
                already: true, detail: "nothing was there when the pod was registered; what is there now stays")
        }
        let only = NodeIdentity(recorded)
        // All containers have ended, so a process that is in the namespace now keeps it alive. The marks are read in
        // parallel, because the deletion takes longer.
        async let marks = marks(for: pin)
        var reply = try await call(.deleteNamespace(place, .act(only: only)), atMost: options.runtimeCall)
        if case .refused(.identityMismatch, _) = reply.outcome, let file = try await unmountedPin(place) {
            reply = try await call(.deleteNamespace(place, .act(only: file)), atMost: options.runtimeCall)
        }
        // Each request detaches some of the stacked mounts. The next one checks the identity of the mounts beneath too.
        while case .refused(.tooManyMounts, _) = reply.outcome {
            reply = try await call(.deleteNamespace(place, .act(only: only)), atMost: options.runtimeCall)
        }
        let isAnothers = reply.isMismatch
        guard reply.isSuccess || isAnothers else { throw StepFailure(reply) }
        if plan.purpose == .stop {
            try await write { (registry, deadline) throws(RegistryError) in
                try registry.closeNamespace(pin.path, of: plan.sandbox.id, until: deadline)
            }
        }
        if isAnothers {
            return StepSuccess(
                already: true, detail: "another namespace is at its path; that one is not the pod's and stays")
        }
        return StepSuccess(already: reply.outcome == .alreadyDone, detail: await inhabitants(of: pin, await marks))
    }

    /// nil if the marks would not help to name a process, or are not read in time.
    private func marks(for pin: NamespacePin) async -> NetworkMarks? {
        guard trace != nil, pin.kind == .network, networks.isEmpty else { return nil }
        return await within(min(deadline, .now + Orchestrator.moment)) { try? await marks.seen() } ?? nil
    }

    /// Describes the processes that keep the namespace alive without its pin; nil if none do or none are known.
    private func inhabitants(of pin: NamespacePin, _ marks: NetworkMarks?) async -> String? {
        let found: [ProcessStatus]
        if let network = networks.first(where: { $0.path == pin.path }) {
            found = await Threads.looking.run { (try? network.inhabitants()) ?? [] }
        } else if let trace, let marks {
            found = await Threads.looking.run { (try? trace.inhabitants(marks)) ?? [] }
        } else {
            return nil
        }
        if found.isEmpty { return nil }
        let named = found.prefix(Self.maximumNamed).map { "\($0.pid) (\(printable($0.name)))" }
        let more = found.count > named.count ? " and \(found.count - named.count) more" : ""
        return """
            the pin is gone, but the namespace with its interfaces and addresses is not: \(found.count == 1 ? "process" : "processes") \
            \(named.joined(separator: ", "))\(more) \(found.count == 1 ? "lives" : "live") in it
            """
    }

    private static var maximumNamed: Int { 16 }

    /// The plain file that remains if somebody has unmounted the namespace. It is not the registered namespace and
    /// holds nothing alive.
    private func unmountedPin(_ place: Place) async throws(StepFailure) -> NodeIdentity? {
        let reply = try await call(.deleteNamespace(place, .look), atMost: options.runtimeCall)
        guard case .namespace(let identity, mounted: false) = reply.facts else { return nil }
        return identity
    }
}
