internal import SandboxRegistry

extension Registry {
    /// The sandbox that is meant by an id, the beginning of one, or a pod's NAMESPACE/NAME; nil where there is none.
    func find(_ text: String) throws(RegistryError) -> Sandbox? {
        guard let (namespace, name) = podName(text) else { return try sandbox(matching: text) }
        let found = try sandboxes().filter { $0.metadata.namespace == namespace && $0.metadata.name == name }
        if found.count > 1 { throw .ambiguous(prefix: text, candidates: found.map(\.id)) }
        return found.first
    }

    /// The newest reports, newest first, of the sandboxes that are meant by an id, the beginning of one, or a pod's
    /// NAMESPACE/NAME or name.
    func reports(of text: String?, limit: Int) throws(RegistryError) -> [StoredReport] {
        guard let text else { return try reports(limit: limit) }
        guard let (namespace, name) = podName(text) else { return try reports(limit: limit, matching: text) }
        // Names of Kubernetes have no underscore, which separates a reserved name's parts.
        let beginning = "\(name)_\(namespace)_"
        return try reports(limit: limit, matching: beginning)
    }
}

private func podName(_ text: String) -> (namespace: String, name: String)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    return parts.count == 2 ? (parts[0], parts[1]) : nil
}
