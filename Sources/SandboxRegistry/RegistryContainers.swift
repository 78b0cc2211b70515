internal import GRDB

extension Registry {
    /// The workload container with this id, or the one whose id begins so, with its sandbox; nil where there is none. Infra
    /// containers come and go with their sandboxes, so none is found here. Throws as `sandbox(matching:)` does.
    public func container(
        matching prefix: String
    ) throws(RegistryError) -> (sandbox: Sandbox, container: Container)? {
        if let problem = RecordRules.problem(id: prefix) { throw .invalidID(prefix, problem: problem) }
        let found = try read { database in
            // DEL sorts after everything that an id may have.
            let rows = try database.rows(
                sql: "SELECT id, sandbox FROM container WHERE infra = 0 AND id >= ? AND id < ? ORDER BY id LIMIT ?",
                arguments: [prefix, prefix + "\u{7f}", Self.maximumCandidates])
            let ids = rows.map { $0["id"] as String }
            if ids.count > 1, ids.first != prefix { throw RegistryError.ambiguous(prefix: prefix, candidates: ids) }
            return rows.first.map { (id: $0["id"] as String, sandbox: $0["sandbox"] as String) }
        }
        // It may be forgotten between the transactions: then there is none.
        guard let found, let sandbox = try sandbox(matching: found.sandbox), sandbox.id == found.sandbox,
            let container = try containers(of: sandbox.id).first(where: { $0.id == found.id })
        else { return nil }
        return (sandbox, container)
    }
}
