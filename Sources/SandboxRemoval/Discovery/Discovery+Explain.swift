internal import NodeObservation
internal import SandboxRegistry

extension Discovery {
    /// Explains why a pod of another runtime is not gone, as far as this node and the runtime show; nil if there is no
    /// such pod. Changes nothing.
    ///
    /// - Parameters:
    ///   - pod: As for `records(of:)`.
    ///   - patience: How long a filesystem has to answer.
    public func explain(_ pod: String, patience: Duration = .seconds(1)) throws(RemovalError) -> Explanation? {
        try facts(of: pod, patience: patience).map(Explanation.of)
    }

    /// What an explanation of a pod is made of; nil if there is no such pod.
    public func facts(of pod: String, patience: Duration = .seconds(1)) throws(RemovalError) -> PodFacts? {
        guard let records = try records(of: pod) else { return nil }
        let sandbox = records.sandbox
        var containers = records.containers
        // What lives although its state is lost is in the cgroup that its bundle asked for.
        let seen = pods.first { $0.pod.id == sandbox.id }?.pod.containers ?? []
        for index in containers.indices {
            containers[index].cgroups += seen.first { $0.id == containers[index].id }?.wantedCgroups ?? []
        }
        do throws(ObservationError) {
            // No podreap works on a pod that is not registered, so there is no lock to report.
            return try PodFacts.gather(
                sandbox, containers, nil, runtime: try runtimeFacts(of: sandbox, containers), patience: patience)
        } catch {
            throw .observation(error)
        }
    }

    /// What is known of the runtime that manages one of these pods.
    private func runtimeFacts(
        of sandbox: Sandbox, _ containers: [Container]
    ) throws(ObservationError) -> PodRuntime? {
        guard let foreign = pods.first(where: { $0.pod.id == sandbox.id }) else { return nil }
        var facts = PodRuntime(runtime: foreign.runtime)
        let ids = Set([sandbox.id] + containers.map(\.id))
        let hierarchies = CgroupHierarchies(try .current())
        var address: String?
        for monitor in try ContainerMonitor.all() where !ids.isDisjoint(with: monitor.containers) {
            guard let process = try ProcessObservation.of(pid: monitor.pid, hierarchies), !process.isZombie else {
                continue
            }
            facts.monitors.append(PodRuntime.Monitor(process: process, containers: monitor.containers))
            address = monitor.address ?? address
        }
        // A node may have several containerds; a pod's shim names the socket of its own.
        let candidates = try PodManager.running().filter { $0.name == foreign.runtime.rawValue }
        let sockets = candidates.map(\.sockets)
        if let address, let index = sockets.firstIndex(where: { $0.contains(address) }) {
            facts.manager = candidates[index]
            facts.socket = address
        } else if address == nil || !sockets.contains(where: { !$0.isEmpty }) {
            facts.manager = candidates.first
            facts.socket = sockets.first.flatMap(foreign.runtime.socket)
        }
        let listing = listings.first { $0.socket == facts.socket }
        facts.unasked = listing?.unasked
        if let listing, listing.unasked == nil {
            facts.answer = CRIAnswer(pod: listing.pods.first { $0.id == sandbox.id }, failure: listing.failure)
        }
        for container in foreign.pod.containers {
            if !container.isKnownToRuntime {
                facts.lost.insert(container.id)
                let state = "\(container.runtime.root)/\(container.id)"
                if try files.observation(of: state)?.kind == .directory { facts.damagedStates[container.id] = state }
            }
            if !container.rootfs.isEmpty { facts.rootfs[container.id] = files.canonical(container.rootfs) }
        }
        if let manager = facts.manager {
            for pid in try manager.networkPlugins(removing: sandbox.id) {
                if let process = try ProcessObservation.of(pid: pid, hierarchies) { facts.plugins.append(process) }
            }
        }
        facts.words = RuntimeWords.read(
            of: facts.manager?.pid, named: foreign.runtime.rawValue, pod: sandbox.id,
            ids.union(facts.answer?.pod?.containers.map(\.id) ?? []).subtracting([sandbox.id]).sorted())
        return facts
    }
}
