internal import HelperClient
internal import NodeObservation

extension PodFacts {
    /// Everybody on the node who keeps something of the pod, as sentences: processes of its containers, and processes with a root, working
    /// directory, file, mount or namespace of the pod's. Empty: nobody does, so nothing of it lives.
    ///
    /// Only a look that sees everything tells that: `canTell` must be true.
    public var holders: [String] {
        var found = members.filter { !$0.process.isZombie }.map {
            "process \($0.process.pid) (\(printed($0.process.name))) of the container \($0.container) lives"
        }
        found += uses.map { use in
            "process \(use.pid) (\(printed(use.name))) has \(use.how.joined(separator: ", ")) at \(printed(use.path))"
        }
        found += copies.map { copy in
            "process \(copy.pid) (\(printed(copy.name))) has \(printed(copy.paths.first ?? "")) mounted"
        }
        for case .process(let pin, let pid, let name) in namespaceHolders {
            found.append("process \(pid) (\(printed(name))) lives in the namespace \(printed(pin))")
        }
        return found
    }

    /// Whether this look was one that sees every process with its files: root's, with a /proc that hides nothing.
    public var canTell: Bool { isPrivileged && ContainerSearch.seesAll() }

    private func printed(_ text: String) -> String { printable(Array(text.utf8)) }
}
