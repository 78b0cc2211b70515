/// All things, and whose they are.
struct Ledger {
    /// Of a shared cgroup, several.
    private(set) var owners: [Thing: Set<Owner>] = [:]
    private(set) var values: [Thing: String] = [:]
    /// Entries by their paths.
    private(set) var entries: [String: Thing] = [:]
    /// The first owner of what may be moved away and come back.
    private var origins: [Origin: Owner] = [:]

    private struct Origin: Hashable {
        var inode: UInt64
        var birth: UInt64
    }

    /// Takes over what is seen now. What is gone is forgotten, and what is new gets an owner: what lies in a directory, or is mounted on it,
    /// is that of the directory; processes say whose they are; all else is `owner`'s.
    ///
    /// - Parameter remembering: Whether what has come back belongs again to whom it did at first.
    mutating func update(_ seen: Seen, by owner: Owner, remembering: Bool = false) {
        owners = owners.filter { seen.things[$0.key] != nil }
        values = seen.things
        entries = [:]
        for thing in seen.things.keys { if case .entry(let path, _, _) = thing { entries[path] = thing } }
        let new = seen.things.keys.filter { owners[$0] == nil }
        // Directories before what they hold.
        for thing in new.filter(\.isEntry).sorted(by: { ($0.path ?? "").count < ($1.path ?? "").count }) {
            owners[thing] = [entryOwner(thing, owner, remembering)]
        }
        for thing in new where !thing.isEntry {
            switch thing {
            case .mount(_, let point, _) where !thing.isNamespace: owners[thing] = [holder(of: point) ?? owner]
            default: owners[thing] = [seen.marks[thing] ?? owner]
            }
        }
    }

    private mutating func entryOwner(_ thing: Thing, _ owner: Owner, _ remembering: Bool) -> Owner {
        guard case .entry(let path, let inode, let birth) = thing else { return owner }
        let origin = Origin(inode: inode, birth: birth)
        if remembering, let first = origins[origin] { return first }
        let own = self.owner(of: path.parent) ?? owner
        if origins[origin] == nil { origins[origin] = own }
        return own
    }

    /// Whose the entry at a path is.
    func owner(of path: String) -> Owner? { entries[path].flatMap { owners[$0]?.first } }

    /// Whose the directory is that a path lies in, or is.
    private func holder(of path: String) -> Owner? {
        var path = path
        while !path.isEmpty {
            if let owner = owner(of: path) { return owner }
            path = path.parent
        }
        return nil
    }

    // MARK: What only an operation knows

    mutating func give(_ thing: Thing, to owner: Owner) { if owners[thing] != nil { owners[thing] = [owner] } }

    /// Gives the entry at a path, and all that lies or is mounted beneath it, but for namespaces.
    mutating func give(beneath path: String, to owner: Owner) {
        for thing in owners.keys where thing.path?.isBeneath(path) == true && !thing.isNamespace && !thing.isCgroup {
            owners[thing] = [owner]
        }
    }

    mutating func track(pid: Int32, startTime: UInt64, _ owner: Owner) {
        let thing = Thing.process(pid: pid, startTime: startTime)
        owners[thing] = [owner]
        values[thing] = ""
    }

    mutating func share(_ thing: Thing, with owner: Owner) { owners[thing]?.insert(owner) }
}
