internal import SandboxRegistry

extension Registry {
    /// The sandboxes to act on, each once: by whole ids, or by beginnings that cannot be ids. Nothing may be wrong with any before
    /// work begins with the first.
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

    /// What a person who gave an id that is not registered may have meant; nil: nothing that is registered.
    func hint(instead id: String) -> String? {
        guard let longer = try? sandboxIDs(beginning: id), !longer.isEmpty else { return nil }
        let list = longer.joined(separator: ", ") + (longer.count == Self.maximumCandidates ? ", …" : "")
        return "ids that begin so: \(list). Give the whole one"
    }

    /// The one sandbox to show, by an id, or a beginning that cannot be one. What is gone does not come back as another.
    func require(_ text: String) throws(RegistryError) -> Sandbox {
        if let sandbox = try find(id: text) { return sandbox }
        if let hint = hint(instead: text) { complain(hint) }
        throw .unknownSandbox(id: text)
    }

    /// The same, or by a pod's NAMESPACE/NAME; nil where there is none. Throws where the text begins several ids.
    func find(_ text: String) throws(RegistryError) -> Sandbox? {
        guard let (namespace, name) = podName(text) else { return try find(id: text) }
        let pods = try sandboxes().filter { $0.metadata.namespace == namespace && $0.metadata.name == name }
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

    /// The newest reports, newest first, of the sandboxes that are meant by an id, a pod's name or NAMESPACE/NAME, or any
    /// beginning of an id that no other has.
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

/// Says which sandbox a text stands for that is not its id.
func sayWhatWasMeant(_ text: String, _ id: String) {
    if text != id { complain("\(text) means the sandbox \(id)") }
}

private func podName(_ text: String) -> (namespace: String, name: String)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    return parts.count == 2 ? (parts[0], parts[1]) : nil
}
