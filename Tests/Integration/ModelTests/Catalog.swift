import TestNode
import TestPods

/// All kinds of steps, in the parts of a history.
enum Catalog {
    static let disturbances: [OperationKind] =
        Ending.kinds + Runtimes.kinds + Places.kinds + Mounts.kinds + Namespaces.kinds + CgroupChanges.kinds
        + PodCgroups.kinds + Outsiders.kinds + Boots.kinds

    static let all: [OperationKind] = Making.kinds + disturbances + Acts.registrations + Acts.kinds

    /// Pods to begin with: p1 registered before or after its start, and mostly a neighbour.
    static func opening(_ random: inout Seeded) -> [Operation] {
        var operations = pod("p1", ["c1", "c12"], &random)
        if Int.random(in: 0..<3, using: &random) > 0 { operations += pod("p10", ["c10"], &random) }
        return operations
    }

    private static func pod(_ id: String, _ containers: [String], _ random: inout Seeded) -> [Operation] {
        var operations = [Making.sandbox(id)]
        if Bool.random(using: &random) { operations.append(PodCgroups.make(id)) }
        if Int.random(in: 0..<3, using: &random) > 0 { operations.append(Making.pin(id)) }
        let count = Int.random(in: 0..<4, using: &random) == 0 ? containers.count : 1
        for container in containers.prefix(count) {
            operations.append(Making.container(container, Making.Variant(&random)))
        }
        let registration = Acts.register(id, .first, withMissing: false)
        let isBefore = Int.random(in: 0..<3, using: &random) == 0
        if isBefore { operations.append(registration) }
        for container in containers.prefix(count) { operations.append(Making.start(container)) }
        // A neighbour may be nobody's that podreap knows.
        if !isBefore, id == "p1" || Bool.random(using: &random) { operations.append(registration) }
        return operations
    }

    /// What ends a container and then has its cgroup, its id or its pid; and what leaves little that tells of one.
    static func succession(_ random: inout Seeded) -> [Operation] {
        let container = Universe.container(&random)
        let sandbox = Universe.sandbox(of: container)
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            return [Ending.killAll(container), Runtimes.delete(container, force: true), CgroupChanges.make(container)]
        case 1:
            return [
                Ending.killInit(container), Runtimes.lose(container),
                Runtimes.runAnother(container, inCgroupOfOld: true),
            ]
        case 2: return [Runtimes.lose(container), Runtimes.runAnother(container, inCgroupOfOld: true)]
        case 3: return [Ending.killInit(container), Outsiders.reusePID(container), Acts.remove(sandbox, .first)]
        case 4: return [Runtimes.lose(container), Outsiders.hide(), Acts.remove(sandbox, .first)]
        default:
            return [Acts.stopContainer(container, .first), Runtimes.lose(container), Acts.remove(sandbox, .first)]
        }
    }

    /// Made again by others under the same id and places, by hand: what a retry that comes late meets.
    static func remaking(_ random: inout Seeded) -> [Operation] {
        let container = Universe.container(&random)
        let sandbox = Universe.sandbox(of: container)
        return [
            Runtimes.takeApart(container), Runtimes.takeApartSandbox(sandbox), Making.sandbox(sandbox),
            Making.pin(sandbox),
            Making.container(container, Making.Variant(&random)), Making.start(container),
        ].filter { _ in Int.random(in: 0..<6, using: &random) > 0 }
    }
}
