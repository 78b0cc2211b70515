/// Registries that know the same node.
enum RegistryName: String, CaseIterable {
    case first = "registry"
    /// A second one, which knows what the first once did.
    case second = "late"
}

/// What a registry knows of a sandbox: not names, but makings.
struct Record {
    var sandbox: String
    var boot: Int
    /// Whose the directory with its shm was.
    var directory: String?
    var pin: String?
    /// Whose the pod's own cgroups were.
    var cgroups: Set<String> = []
    /// The makings of each container; none: there was nothing of it.
    var containers: [String: Set<String>]
    /// Those of them whose cgroups podreap has had a chance to see: the runtime's state named them.
    var seen: Set<String> = []

    /// What an act is about.
    enum Scope {
        case all
        case container(String)
    }

    func owns(_ owner: Owner, _ scope: Scope = .all) -> Bool {
        if let boot = owner.boot, boot != self.boot { return false }
        if owner.isAbove {
            return containers.values.contains { $0.contains { Owner(making: $0).above.making == owner.making } }
        }
        switch scope {
        case .all:
            return owner.making == directory || owner.making == pin || cgroups.contains(owner.making)
                || ownsContainer(owner)
        case .container(let id): return containers[id]?.contains(owner.making) == true
        }
    }

    private func ownsContainer(_ owner: Owner) -> Bool {
        containers.values.contains { $0.contains(owner.making) }
    }
}

/// What came of all histories.
struct Statistics {
    var histories = 0
    /// Those whose containers crun runs.
    var crunHistories = 0
    var operations = 0
    /// By outcome: of all acts, and of the last removal of each record, when nothing stands in its way.
    var outcomes: [String: Int] = [:]
    var endings: [String: Int] = [:]
    var causes: [String: Int] = [:]
    var made: [String: Int] = [:]
    /// Where a person had to end something before the last removal succeeded, and why.
    var helped: [String] = []
    /// Seconds that each kind of operation took.
    var seconds: [String: Double] = [:]

    var acts: Int { outcomes.values.reduce(0, +) }

    func share(_ outcome: String, of counts: [String: Int]) -> Double {
        let all = counts.values.reduce(0, +)
        return all == 0 ? 0 : Double(counts[outcome, default: 0]) / Double(all)
    }

    /// In a line, how often podreap could not know whether a container lives.
    var summary: String {
        let unknown = causes["unknown-life", default: 0]
        let percent = (unknownShare * 1000).rounded() / 10
        return "\(histories) histories (\(histories - crunHistories) with runc, \(crunHistories) with crun), "
            + "\(acts) acts, unknown in \(unknown) (\(percent) %)"
    }

    var unknownShare: Double { acts == 0 ? 0 : Double(causes["unknown-life", default: 0]) / Double(acts) }

    var description: String {
        func list(_ counts: [String: Int]) -> String {
            counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", ")
        }
        let times = seconds.sorted { $0.value > $1.value }.map { "\($0.key) \(($0.value * 10).rounded() / 10)" }
        return """
            \(histories) histories, \(operations) operations, \(acts) acts: \(list(outcomes))
            last removals: \(list(endings))
            causes: \(list(causes))
            operations: \(list(made))
            a person had to help: \(helped.isEmpty ? "never" : "\n    " + helped.joined(separator: "\n    "))
            seconds: \(times.joined(separator: ", "))
            """
    }
}
