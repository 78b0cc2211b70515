import TestNode

/// What a caller of podreap wants done.
enum Act: Equatable {
    case remove(String)
    case stop(String)
    case removeContainer(String)
    case stopContainer(String)
    /// Removes what no registry knows.
    case collect
    /// Only looks.
    case look

    var verb: String {
        switch self {
        case .remove: "remove"
        case .stop: "stop"
        case .removeContainer: "remove-container"
        case .stopContainer: "stop-container"
        case .collect: "collect"
        case .look: "plan"
        }
    }

    var removes: Bool {
        switch self {
        case .remove, .removeContainer: true
        case .stop, .stopContainer, .collect, .look: false
        }
    }
}

/// The two halves of podreap's promise, for one act: what a removal calls removed is gone, and nothing else was touched.
struct Promise {
    let act: Act
    let record: Record
    let scope: Record.Scope
    let before: Ledger
    /// The pod's places, by which a stop's part is told.
    let shm: String
    let pin: String
    let stateRoot: String
    /// Makings of which nothing lives, and that no registry knows: nobody misses them.
    let departed: Set<String>
    /// Makings that nothing tells of: no registry knows them, and their runtime's state is damaged.
    let untold: Set<String>

    /// Whether a thing is the record's alone.
    private func isOwn(_ owners: Set<Owner>, _ scope: Record.Scope) -> Bool {
        owners.contains { record.owns($0, scope) }
            && owners.allSatisfy { record.owns($0, scope) || departed.contains($0.making) }
    }

    /// Whether a stop, too, takes it away. Where the runtime had to delete a container to end it, its state goes.
    private func isStopped(_ thing: Thing) -> Bool {
        switch thing {
        case .process: true
        case .mount(_, let point, _): thing.isNamespace || point.isBeneath(shm)
        case .entry(let path, _, _): path == pin
        case .cgroup: false
        }
    }

    private func mayGo(_ thing: Thing, _ owners: Set<Owner>) -> Bool {
        if owners.contains(.either) || isLeft(thing, owners) || isDeserted(thing, owners) || isUntold(thing, owners) {
            return true
        }
        guard isOwn(owners, scope) else { return false }
        if thing.isCgroup, owners.contains(where: { record.cgroups.contains($0.making) }) {
            return act == .remove(record.sandbox)
        }
        if act.removes || thing.isCgroup || thing.path?.isBeneath(stateRoot) == true { return true }
        return isStopped(thing) && (act == .stop(record.sandbox) || thing.isProcess)
    }

    /// Whether it is a cgroup beneath one of the record's own that nobody misses.
    private func isLeft(_ thing: Thing, _ owners: Set<Owner>) -> Bool {
        guard case .cgroup(let path, _) = thing else { return false }
        return owners.allSatisfy { record.owns($0, scope) || departed.contains($0.making) }
            && before.owners.contains { above, owners in
                above.isCgroup && isOwn(owners, scope) && above.path.map { path.isBeneath($0) } == true
            }
    }

    /// Whether it lives in one cgroup with what is the record's, and nothing tells the two apart.
    private func isUntold(_ thing: Thing, _ owners: Set<Owner>) -> Bool {
        func isMeant(_ owner: Owner) -> Bool { record.owns(owner, scope) || departed.contains(owner.making) }
        guard thing.isProcess || thing.isCgroup,
            owners.allSatisfy({ isMeant($0) || untold.contains($0.making) })
        else { return false }
        return before.owners.contains { shared, owners in
            shared.isCgroup && owners.contains { record.owns($0, scope) }
                && owners.contains { untold.contains($0.making) }
        }
    }

    /// Whether it is the record's cgroup, and nothing lives any more of the others that had it: the record's runtime
    /// removes it with the record's container.
    private func isDeserted(_ thing: Thing, _ owners: Set<Owner>) -> Bool {
        guard thing.isCgroup, owners.contains(where: { record.owns($0, scope) }) else { return false }
        let others = owners.filter { !record.owns($0, scope) }
        return !before.owners.contains { thing, owners in
            thing.isProcess && owners.contains { owner in others.contains(owner) || others.contains(owner.above) }
        }
    }

    private func mustGo(_ thing: Thing, _ owners: Set<Owner>) -> Bool {
        guard !owners.contains(.either), isOwn(owners, scope), !isLeftToOthers(thing) else { return false }
        // What nothing told when podreap could look, it cannot know: a name alone is no reason to remove anything.
        let isRuntimes = thing.isCgroup || thing.path?.isBeneath(stateRoot) == true
        let known = record.seen.union(record.cgroups)
        if isRuntimes, !owners.contains(where: { !$0.isAbove && known.contains($0.making) }) { return false }
        return act.removes || (isStopped(thing) && (act == .stop(record.sandbox) || thing.isProcess))
    }

    /// Whether it is a cgroup beneath one of the record's that stays, because others have that one too: it goes with it.
    private func isLeftToOthers(_ thing: Thing) -> Bool {
        guard case .cgroup(let path, _) = thing else { return false }
        return before.owners.contains { above, owners in
            above.isCgroup && above.path != path && above.path.map { path.isBeneath($0) } == true
                && owners.contains { record.owns($0, scope) } && !isOwn(owners, scope)
        }
    }

    /// Where it is broken, one line for each thing.
    func violations(_ answer: Answer, after: Ledger) -> [String] {
        var found = touched(after).map { "\(act.verb) has touched what is not the pod's: \($0)" }
        if answer.outcome == "removed" || answer.outcome == "stopped" {
            for (thing, owners) in after.owners where mustGo(thing, owners) {
                found.append("\(answer.outcome), but there is still: \(thing) of \(list(owners))")
            }
        }
        return found + beneathLiving(after)
    }

    private func touched(_ after: Ledger) -> [String] {
        var found: [String] = []
        for (thing, owners) in before.owners where !mayGo(thing, owners) {
            if after.owners[thing] == nil {
                found.append("\(thing) of \(list(owners)) is gone")
            } else if before.values[thing] != after.values[thing], !owners.contains(where: { record.owns($0) }) {
                found.append("\(thing) of \(list(owners)) has changed")
            }
        }
        for (thing, owners) in after.owners where before.owners[thing] == nil && !thing.isProcess {
            found.append("\(thing) has come (\(list(owners)))")
        }
        return found
    }

    /// Nothing is deleted beneath what lives.
    private func beneathLiving(_ after: Ledger) -> [String] {
        func lives(_ id: String) -> Bool {
            after.owners.contains { thing, owners in
                thing.isProcess && owners.contains { record.owns($0, .container(id)) }
            }
        }
        let living = record.containers.keys.filter(lives)
        guard !living.isEmpty else { return [] }
        var found: [String] = []
        for (thing, owners) in before.owners where after.owners[thing] == nil && !thing.isProcess && !thing.isCgroup {
            let ids = living.filter { id in owners.contains { record.owns($0, .container(id)) } }
            let isSandboxs = owners.contains { $0.making == record.directory || $0.making == record.pin }
            guard !ids.isEmpty || isSandboxs else { continue }
            let lived = ids.isEmpty ? living : ids
            found.append("\(lived.sorted().joined(separator: ", ")) lives, but \(thing) of \(list(owners)) is gone")
        }
        return found
    }

    private func list(_ owners: Set<Owner>) -> String { owners.map(\.description).sorted().joined(separator: " and ") }
}

extension Promise {
    /// What must still be there after garbage was collected: all that a registry knows, or that lives.
    static func violationsOfCollection(
        _ before: Ledger, after: Ledger, isKept: (Owner) -> Bool, isNodes: (Thing) -> Bool
    ) -> [String] {
        before.owners.compactMap { thing, owners in
            guard after.owners[thing] == nil, owners.contains(where: isKept) || isNodes(thing) else { return nil }
            return "gc has removed \(thing) of \(owners.map(\.description).sorted().joined(separator: " and "))"
        }
    }
}
