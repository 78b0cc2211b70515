internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry

/// Evidence on the node, at one moment, that items have an owner. An item in use claims all items with the same id.
public struct GarbageClaims: Sendable, Equatable {
    /// Why items with an id have an owner, by id.
    public var ids: [String: String] = [:]
    /// Why what lies at a path is in use, or may be, by path.
    public var places: [String: String] = [:]
    /// The reason given for places that this user cannot see into; nil if there are none.
    private var unseen: String?

    public init() {}

    /// Why an item is not garbage; nil if nothing indicates that.
    func reason(for item: GarbageItem) -> String? {
        places[item.path] ?? item.ids.lazy.compactMap { ids[$0] }.first
    }
}

extension GarbageClaims {
    /// Looks at every process: its working directory, root, program, open files and mounts, its cgroups, and whether it
    /// monitors containers. Also reads the states of runtimes that helper.conf does not list.
    ///
    /// - Parameters:
    ///   - table: The node's mounts.
    ///   - isKnown: Whether a directory is one of helper.conf's roots, or lies above or beneath one.
    static func observe(
        _ items: [GarbageItem], in table: MountTable, isKnown: (String) -> Bool
    ) throws(ObservationError) -> GarbageClaims {
        var claims = GarbageClaims()
        // Of what a left over monitor waits for there is no other item.
        let ids = Set(items.filter { !$0.isMonitor }.flatMap(\.ids))
        for minder in try ContainerMonitor.all() {
            for id in minder.containers where ids.contains(id) {
                claims.add(
                    "\(minder.program) (process \(minder.pid)) monitors it; if that process is left over, end it first",
                    [id])
            }
        }
        for (id, pid) in try CgroupNames().processes(of: ids) {
            claims.add("process \(pid) is in a cgroup that is called after it", [id])
        }
        for (id, state) in ForeignStates.containers(besides: isKnown) where ids.contains(id) {
            claims.add("another runtime has a container of this id: \(state)", [id])
        }
        try claims.addUses(of: items, table)
        for item in items {
            if let reason = claims.places[item.path] ?? item.busy {
                // A claim made only because this user cannot see into a place does not extend to other items with the
                // same id.
                if claims.unseen == nil || reason != claims.unseen { claims.add(reason, item.ids) }
            }
        }
        claims.spread(over: items)
        return claims
    }

    private mutating func addUses(of items: [GarbageItem], _ table: MountTable) throws(ObservationError) {
        let paths = items.filter { $0.kind == .directory || $0.kind == .mount }.map(\.path)
        let (uses, hidden) = try PlaceSearch(paths.map { Array($0.utf8) }, in: table).uses()
        for use in uses where places[paths[use.place]] == nil {
            let how = Int(use.how) == nil ? use.how : "descriptor \(use.how)"
            places[paths[use.place]] =
                use.pid == 0
                ? "it is mounted at \(printable(use.path)) too"
                : "in use by process \(use.pid) (\(printable(use.name)), \(how) at \(printable(use.path)))"
        }
        guard !hidden.isEmpty || !ContainerSearch.seesAll() else { return }
        let how = hidden.isEmpty ? "/proc hides others'" : "\(hidden.count) are hidden"
        unseen = "this user cannot see whether a process uses it (\(how)); root can"
        for path in paths where places[path] == nil { places[path] = unseen }
    }

    private mutating func add(_ reason: String, _ ids: [String]) {
        for id in ids where self.ids[id] == nil { self.ids[id] = reason }
    }

    /// Extends claims between a container and its sandbox: a claim on either one claims both.
    private mutating func spread(over items: [GarbageItem]) {
        let related = items.filter { !$0.relatives.isEmpty }
        var before = -1
        while ids.count != before {
            before = ids.count
            for item in related {
                let own = item.ids
                guard let claimed = own.first(where: { ids[$0] != nil }), let reason = ids[claimed] else { continue }
                add(reason, own)
            }
        }
    }
}
