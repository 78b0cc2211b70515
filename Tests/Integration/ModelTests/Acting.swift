import GRDB
import SamplePod
import TestNode
import TestPods

extension World {
    /// Has podreap do something, and compares the node with the promise.
    ///
    /// - Parameters:
    ///   - crash: When it is killed.
    ///   - meanwhile: What somebody else does with the pod's things at that moment.
    func perform(
        _ act: Act, on subject: String, _ registry: RegistryName, crash: [String] = [], meanwhile: String? = nil
    ) throws {
        settle()
        let before = ledger
        let calling = try begin(act.verb, subject, registry, crash: crash)
        if let meanwhile {
            note("(\(meanwhile)) &")
            _ = try? shell(meanwhile)
        }
        let answer = try calling.end()
        note("\(calling.text)   # says: \(answer)")
        try waitForHelpers(calling.text)
        // A runtime that was on its way ends by itself.
        if answer.outcome == "killed" || meanwhile != nil { pause(milliseconds: 50) }
        try judge(act, subject, registry, answer, before)
    }

    /// The record that an act is about, and which part of it.
    private func target(_ act: Act, _ subject: String, _ registry: RegistryName) -> (
        record: Record, scope: Record.Scope
    )? {
        switch act {
        case .remove, .stop, .look: return records[registry]?[subject].map { ($0, .all) }
        case .removeContainer, .stopContainer:
            let record = records[registry]?[Universe.sandbox(of: subject)]
            return record.flatMap { $0.containers[subject] == nil ? nil : ($0, .container(subject)) }
        case .collect: return nil
        }
    }

    /// Compares what an act has left, in words and on the node, with the promise.
    func judge(
        _ act: Act, _ subject: String, _ registry: RegistryName, _ said: Answer, _ before: Ledger,
        isLast: Bool = false
    ) throws {
        see(by: .others)
        count(act, said, isLast)
        if said.outcome == "crashed" { violations.append("\(act.verb) \(subject) has crashed: \(said.output)") }
        guard let (found, scope) = target(act, subject, registry) else {
            if act != .look, said.outcome != "unknown" { violations.append("\(act.verb) \(subject): \(said)") }
            let none = Record(sandbox: subject, boot: boot, containers: [:])
            violations += promise(.look, none, .all, before).violations(said, after: ledger)
            return
        }
        var (record, answer) = (found, said)
        if isRuntimeListed {
            record.seen.formUnion(intact(record.containers.keys, before))
            // One that was killed may have looked at nothing, and what is still there can be looked at again.
            let left = said.outcome == "killed" ? intact(record.containers.keys, ledger) : []
            records[registry]?[record.sandbox]?.seen = record.seen.subtracting(left)
        }
        let forgotten = try forgotten(record, registry)
        let isForgotten =
            forgotten.sandbox || (act == .removeContainer(subject) && forgotten.containers.contains(subject))
        if said.outcome == "removed", !isForgotten {
            violations.append("\(act.verb) \(subject): removed, but registered")
        }
        // What is forgotten counts as called removed, also by one that was killed.
        if isForgotten { answer.outcome = "removed" }
        violations += promise(act, record, scope, before).violations(answer, after: ledger)
        for container in forgotten.containers where !isForgotten && act == .remove(subject) {
            let part = promise(.removeContainer(container), record, .container(container), ledger)
            var gone = said
            gone.outcome = "removed"
            violations += part.violations(gone, after: ledger).map { "\(container) is forgotten: \($0)" }
        }
        if forgotten.sandbox {
            records[registry]?[record.sandbox] = nil
        } else {
            for container in forgotten.containers { records[registry]?[record.sandbox]?.containers[container] = nil }
        }
        if act == .stop(subject), said.outcome == "stopped" { records[registry]?[record.sandbox]?.pin = nil }
    }

    private func promise(_ act: Act, _ record: Record, _ scope: Record.Scope, _ before: Ledger) -> Promise {
        Promise(
            act: act, record: record, scope: scope, before: before,
            shm: "\(node.directory(ofSandbox: record.sandbox))/shm", pin: node.pin(ofSandbox: record.sandbox),
            stateRoot: runtimeRoot, departed: departed(before, besides: record), untold: untold)
    }

    /// With the cgroups above theirs.
    private var untold: Set<String> {
        let known = Set(records.values.flatMap(\.values).flatMap(\.containers.values).joined())
        let unknown = damaged.subtracting(known)
        return unknown.union(unknown.map { Owner(making: $0).above.making })
    }

    /// What the registry does not know any more.
    private func forgotten(_ record: Record, _ registry: RegistryName) throws -> (sandbox: Bool, containers: [String]) {
        // Read as it lies there: podreap does not open another user's registry as root.
        let database = try DatabaseQueue(path: path(registry))
        defer { try? database.close() }
        let (isKnown, known) = try database.read { database in
            (
                try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM sandbox WHERE id = ?)", arguments: [record.sandbox]),
                try Set(
                    String.fetchAll(
                        database, sql: "SELECT id FROM container WHERE sandbox = ?", arguments: [record.sandbox]))
            )
        }
        guard isKnown == true else { return (true, Array(record.containers.keys)) }
        return (false, record.containers.keys.filter { !known.contains($0) })
    }

    /// Makings of which nothing lives, that no runtime knows, and that no registry knows but for this record.
    private func departed(_ ledger: Ledger, besides record: Record) -> Set<String> {
        var all: Set<String> = []
        var present: Set<String> = [Owner.others.making]
        for (thing, owners) in ledger.owners {
            all.formUnion(owners.map(\.making))
            let isState = thing.path?.isBeneath(runtimeRoot) == true
            if thing.isProcess || isState { present.formUnion(owners.flatMap { [$0.making, $0.above.making] }) }
        }
        for known in records.values.flatMap(\.values) {
            present.formUnion([known.directory, known.pin].compactMap { $0 })
            present.formUnion(known.cgroups)
            present.formUnion(known.seen.flatMap { [$0, Owner(making: $0).above.making] })
        }
        return all.subtracting(present)
    }

    private func count(_ act: Act, _ answer: Answer, _ isLast: Bool) {
        guard act != .look, act != .collect, answer.outcome != "unknown" else { return }
        statistics.outcomes[answer.outcome, default: 0] += 1
        if isLast { statistics.endings[answer.outcome, default: 0] += 1 }
        for kind in Set(answer.causes.map { $0.split(separator: " ").first.map(String.init) ?? "" }) {
            statistics.causes[kind, default: 0] += 1
        }
    }

    // MARK: Registering

    /// Registers what there is of a sandbox; whether that succeeded.
    @discardableResult
    func register(_ sandbox: String, _ containers: [String], _ registry: RegistryName) throws -> Bool {
        let before = ledger
        let document = try node.write(
            try node.document(sandbox, containers, runtime: runtime, cgroups: PodCgroups.paths(self, sandbox)),
            as: "\(sandbox).json")
        let answer = try call("register", document, registry)
        see(by: .others)
        let none = Record(sandbox: sandbox, boot: boot, containers: [:])
        violations += promise(.look, none, .all, before).violations(answer, after: ledger)
        guard answer.outcome == "registered" else {
            statistics.outcomes["refused registration", default: 0] += 1
            return false
        }
        var record = Record(sandbox: sandbox, boot: boot, containers: [:])
        record.directory = bind(node.directory(ofSandbox: sandbox), sandbox)
        record.pin = bindPin(node.pin(ofSandbox: sandbox))
        record.cgroups = Set(PodCgroups.paths(self, sandbox).compactMap { bindCgroup($0, sandbox) })
        for container in containers {
            let makings = [
                bind(node.directory(of: container), container), ledger.owner(of: state(of: container))?.making,
            ]
            record.containers[container] = Set(makings.compactMap { $0 })
        }
        if isRuntimeListed { record.seen = intact(containers, ledger) }
        records[registry, default: [:]][sandbox] = record
        return true
    }

    /// Whose the directory is that was recorded; one that was nobody's is the record's from now on.
    private func bind(_ path: String, _ id: String) -> String? {
        guard let owner = ledger.owner(of: path) else { return nil }
        guard owner == .others else { return owner.making }
        let found = making("\(id).found").name
        ledger.give(beneath: path, to: Owner(making: found))
        return found
    }

    private func bindCgroup(_ path: String, _ id: String) -> String? {
        guard let cgroup = ledger.owners.first(where: { $0.key.isCgroup && $0.key.path == path }) else { return nil }
        if let owner = cgroup.value.first(where: { !$0.isAbove && $0 != .others }) { return owner.making }
        let found = Owner(making: making("\(id).cgroup.found").name, boot: boot)
        if cgroup.value == [.others] {
            ledger.give(cgroup.key, to: found)
        } else {
            ledger.share(cgroup.key, with: found)
        }
        return found.making
    }

    private func bindPin(_ path: String) -> String? {
        let mount = ledger.owners.first { $0.key.isNamespace && $0.key.path == path }
        guard let owner = mount?.value.first ?? ledger.owner(of: path) else { return nil }
        guard owner == .others else { return owner.making }
        let found = making("pin.found").name
        if let mount { ledger.give(mount.key, to: Owner(making: found, boot: boot)) }
        ledger.give(beneath: path, to: Owner(making: found, boot: boot))
        return found
    }
}
