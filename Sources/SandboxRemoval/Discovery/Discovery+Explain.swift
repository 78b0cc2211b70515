internal import NodeObservation
internal import SandboxRegistry

extension Discovery {
    /// Explains why a pod of another runtime is not gone, as far as this node shows; nil if there is no such pod.
    /// Changes nothing.
    ///
    /// - Parameters:
    ///   - pod: As for `records(of:)`.
    ///   - patience: How long a filesystem has to answer.
    public func explain(_ pod: String, patience: Duration = .seconds(1)) throws(RemovalError) -> Explanation? {
        guard let (sandbox, containers) = try records(of: pod) else { return nil }
        do throws(ObservationError) {
            // No podreap works on a pod that is not registered, so there is no lock to report.
            let facts = try PodFacts.gather(sandbox, containers, nil, patience: patience)
            var explanation = Explanation.of(facts)
            // The remedy for a registered sandbox does not help here.
            explanation.findings.removeAll { $0.cause == .notAsked }
            explanation.findings += try minding(sandbox, containers)
            return explanation
        } catch {
            throw .observation(error)
        }
    }

    /// Whether the pod's runtime runs, so that it can remove the pod, and whether the pod's shim or conmon is gone.
    private func minding(_ sandbox: Sandbox, _ containers: [Container]) throws(ObservationError) -> [Finding] {
        guard let runtime = pods.first(where: { $0.pod.id == sandbox.id })?.runtime else { return [] }
        let id = sandbox.id
        let from = "--from \(runtime.rawValue)"
        let manager = try ForeignManagers.running().running.first { $0.name == runtime.rawValue }
        var findings: [Finding] = []
        if let manager {
            findings.append(
                Finding(
                    .notAsked, .note, "\(runtime.title) manages it, and runs as process \(manager.pid)",
                    remedies: ["crictl stopp \(id) && crictl rmp \(id)"]))
        } else {
            findings.append(
                Finding(
                    .notAsked, .note, "\(runtime.title), which manages it, does not run: nobody removes it",
                    remedies: [
                        "systemctl start \(runtime.rawValue)",
                        "podreap discover \(from) | podreap register - && podreap remove \(id)",
                    ]))
        }
        let ids = Set([sandbox.id] + containers.map(\.id))
        let minders = try ContainerMonitor.all().filter { !ids.isDisjoint(with: $0.containers) }
        if minders.isEmpty, containers.contains(where: { $0.process != nil }) {
            let program = runtime == .crio ? "conmon" : "shim"
            findings.append(
                Finding(
                    .unreapedProcess, .keeps,
                    "its \(program) is gone, so \(runtime.title) does not hear of its containers' end"))
        }
        return findings
    }
}
