internal import SandboxRegistry

extension Registry {
    /// The sandboxes to act on, each once, named by whole ids or by beginnings that cannot be ids. Throws if any text
    /// is wrong, before work begins on the first sandbox.
    func targets(_ texts: [String]) throws(RegistryError) -> [(id: String, sandbox: Sandbox?)] {
        var targets: [(id: String, sandbox: Sandbox?)] = []
        for text in texts {
            let sandbox = try resolve(text, .forActing)
            if let sandbox { sayWhatWasMeant(text, sandbox.id) }
            let id = sandbox?.id ?? text
            if !targets.contains(where: { $0.id == id }) { targets.append((id, sandbox)) }
        }
        return targets
    }

    /// Suggests what the user may have meant by an id that is not registered; nil if no registered id begins with it.
    func hint(instead id: String) -> String? {
        guard let longer = try? sandboxIDs(beginning: id), !longer.isEmpty else { return nil }
        let list = longer.joined(separator: ", ") + (longer.count == Self.maximumCandidates ? ", …" : "")
        return "ids that begin so: \(list). Give the whole one"
    }

    /// The one sandbox to show, named by its id or by a beginning that cannot be an id. An id that is gone never stands
    /// for another sandbox.
    func require(_ text: String) throws(RegistryError) -> Sandbox {
        if let sandbox = try find(id: text) { return sandbox }
        if let hint = hint(instead: text) { complain(hint) }
        throw .unknownSandbox(id: text)
    }

    /// Like `require`, but also accepts a pod's NAMESPACE/NAME, and returns nil if there is none. Throws if several
    /// sandboxes match.
    func find(_ text: String) throws(RegistryError) -> Sandbox? {
        guard let (namespace, name) = podName(text) else { return try find(id: text) }
        let pods = try sandboxes().filter { $0.metadata.namespace == namespace && $0.metadata.name == name }
        if pods.count > 1 { throw .ambiguous(prefix: text, candidates: pods.map(\.id)) }
        if let pod = pods.first { sayWhatWasMeant(text, pod.id) }
        return pods.first
    }

    /// The only pod with a name, in any namespace; nil if there is none. Throws if several sandboxes match.
    func find(named text: String) throws(RegistryError) -> Sandbox? {
        let pods = try sandboxes().filter { $0.metadata.name == text }
        if pods.count > 1 { throw .ambiguous(prefix: text, candidates: pods.map(\.id)) }
        if let pod = pods.first { sayWhatWasMeant(text, pod.id) }
        return pods.first
    }

    private func find(id text: String) throws(RegistryError) -> Sandbox? {
        if let sandbox = try resolve(text, .forLooking) {
            sayWhatWasMeant(text, sandbox.id)
            return sandbox
        }
        let longer = try sandboxIDs(beginning: text)
        if longer.count > 1 { throw .ambiguous(prefix: text, candidates: longer) }
        return nil
    }

    /// The newest reports, newest first, of the sandboxes that `text` names: by an id, a pod's name, NAMESPACE/NAME, or
    /// the beginning of only one id. nil names all.
    func reports(of text: String?, limit: Int) throws(RegistryError) -> [StoredReport] {
        guard let text else { return try reports(limit: limit) }
        if let (namespace, name) = podName(text) { return try reports(limit: limit, ofPod: name, in: namespace) }
        let exact = try reports(limit: limit, of: text)
        if !exact.isEmpty { return exact }
        let named = try reports(limit: limit, ofPod: text, in: nil)
        if !named.isEmpty { return named }
        let ids = try reportedIDs(beginning: text)
        if ids.count > 1 { throw .ambiguous(prefix: text, candidates: ids) }
        guard let id = ids.first else { return [] }
        sayWhatWasMeant(text, id)
        return try reports(limit: limit, of: id)
    }
}

/// Tells the user which sandbox a text stands for, if the text is not its id.
func sayWhatWasMeant(_ text: String, _ id: String) {
    if text != id { complain("\(text) means the sandbox \(id)") }
}

private func podName(_ text: String) -> (namespace: String, name: String)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    return parts.count == 2 ? (parts[0], parts[1]) : nil
}
