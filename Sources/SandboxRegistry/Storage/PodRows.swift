internal import GRDB

// What belongs to a pod itself is in columns of its sandbox: most pods have none of it, and then it costs no query.

extension PodCgroup {
    /// The column's text; NULL if there are none.
    static func stored(_ cgroups: [PodCgroup]) -> String? {
        guard !cgroups.isEmpty else { return nil }
        let values = cgroups.map { cgroup in
            var members = [JSONValue.Member(key: "path", value: .string(cgroup.path))]
            if let identity = cgroup.identity {
                members.append(JSONValue.Member(key: "device", value: JSONValue(identity.device)))
                members.append(JSONValue.Member(key: "inode", value: JSONValue(identity.inode)))
            }
            return JSONValue.object(members)
        }
        return JSONValue.array(values).compact
    }

    static func all(_ column: String?) throws -> [PodCgroup] {
        try objects(column, known: ["path", "device", "inode"]).map { fields in
            var cgroup = PodCgroup(path: try fields.string("path"))
            if let device = try fields.optionalInteger("device", in: 0...UInt64.max) {
                let inode = try fields.integer("inode", in: 0...UInt64.max)
                cgroup.identity = FileIdentity(device: device, inode: inode, birth: 0)
            }
            return cgroup
        }
    }
}

extension ProcessReference {
    /// The column's text; NULL if there are none.
    static func stored(_ processes: [ProcessReference]) -> String? {
        guard !processes.isEmpty else { return nil }
        let values = processes.map { process in
            JSONValue.object([
                JSONValue.Member(key: "pid", value: JSONValue(process.pid)),
                JSONValue.Member(key: "startTime", value: JSONValue(process.startTime)),
            ])
        }
        return JSONValue.array(values).compact
    }

    static func all(_ column: String?) throws -> [ProcessReference] {
        try objects(column, known: ["pid", "startTime"]).map { fields in
            ProcessReference(
                pid: try fields.integer("pid", in: 1...Int32.max),
                startTime: try fields.integer("startTime", in: 0...UInt64.max))
        }
    }
}

/// The objects of an array that a column holds.
private func objects(_ column: String?, known: [String]) throws -> [DocumentFields] {
    guard let column else { return [] }
    guard case .array(let values) = try JSONReader.read(Array(column.utf8)) else { return [] }
    return try values.map { try DocumentFields($0, at: "", known: known) }
}

extension Registry {
    /// The other sandboxes that have a cgroup too: as their own, or as one of their containers', or one that lies
    /// beneath it. Those that are being removed are left out, because they may have looked for cgroups already.
    package func sharers(ofPodCgroup path: String, besides id: String) throws(RegistryError) -> [String] {
        try read { database in
            // "0" follows "/" in ASCII, so every path beneath lies between the two.
            var found = try database.strings(
                sql: """
                    SELECT DISTINCT sandbox.id FROM cgroup
                    JOIN container ON cgroup.container = container.id JOIN sandbox ON container.sandbox = sandbox.id
                    WHERE (cgroup.path = ?1 OR (cgroup.path > ?2 AND cgroup.path < ?3))
                        AND sandbox.id <> ?4 AND sandbox.state <> 'removing'
                    ORDER BY sandbox.id
                    """,
                arguments: [path, path + "/", path + "0", id])
            let others = try database.rows(
                sql: """
                    SELECT id, cgroups FROM sandbox
                    WHERE cgroups IS NOT NULL AND id <> ? AND state <> 'removing' ORDER BY id
                    """,
                arguments: [id])
            for row in others {
                let theirs = try PodCgroup.all(row["cgroups"])
                if theirs.contains(where: { $0.path == path || $0.path.hasPrefix(path + "/") }) {
                    found.append(row["id"])
                }
            }
            return found
        }
    }

    /// Leaves a pod's cgroup to another sandbox, which removes it as its own. Returns false if that sandbox is unknown
    /// or being removed, so that it may not look for it any more.
    ///
    /// - Parameter deadline: Throws `.busy` if the transaction cannot begin by then.
    package func leaveCgroup(
        _ cgroup: PodCgroup, to heir: String, until deadline: ContinuousClock.Instant? = nil
    ) throws(RegistryError) -> Bool {
        try write(until: deadline) { database in
            guard
                let row = try database.row(
                    sql: "SELECT cgroups FROM sandbox WHERE id = ? AND state <> 'removing'", arguments: [heir])
            else { return false }
            // What the heir recorded at this path before is gone, if it is not this very cgroup.
            let own = try PodCgroup.all(row["cgroups"]).filter { $0.path != cgroup.path } + [cgroup]
            try database.perform(
                sql: "UPDATE sandbox SET cgroups = ? WHERE id = ?", arguments: [PodCgroup.stored(own), heir])
            return true
        }
    }
}
