import SamplePod
import TestNode
import TestPods

/// What ends every history: all that is registered is removed, and then nothing of it is left.
enum Endings {
    /// Asks for each removal as it is; where it is incomplete, again when the others are gone; and at last when a person has ended what
    /// the answer names. Whatever is incomplete then is a fault: nobody could get it gone.
    static func run(on world: World) throws {
        if world.isHidden { try Outsiders.show().run(world) }
        if !world.isRuntimeListed { try Runtimes.listRuntime().run(world) }
        let first = try remove(all(world), world, isFirst: true)
        let second = try remove(first.map(\.target), world)
        guard !second.isEmpty, world.violations.isEmpty else { return }
        world.statistics.helped += second.map { "seed \(world.seed): \($0.answer)" }
        try endWhatLives(world)
        for (target, answer) in try remove(second.map(\.target), world) {
            world.violations.append("nothing lives, and \(target.sandbox) cannot be removed: \(answer)")
        }
    }

    private typealias Target = (registry: RegistryName, sandbox: String)

    private static func all(_ world: World) -> [Target] {
        RegistryName.allCases.flatMap { registry in
            (world.records[registry] ?? [:]).keys.sorted().map { (registry, $0) }
        }
    }

    /// Those that are incomplete, and why.
    private static func remove(
        _ targets: [Target], _ world: World, isFirst: Bool = false
    ) throws -> [(target: Target, answer: Answer)] {
        var incomplete: [(target: Target, answer: Answer)] = []
        for (registry, sandbox) in targets {
            guard world.violations.isEmpty else { break }
            let before = world.ledger
            let answer = try world.call("remove", sandbox, registry)
            try world.judge(.remove(sandbox), sandbox, registry, answer, before, isLast: isFirst)
            if answer.outcome == "removed" {
                // Once more: a call that is made again hits nothing else.
                try world.perform(.remove(sandbox), on: sandbox, registry)
            } else {
                incomplete.append(((registry, sandbox), answer))
            }
        }
        return incomplete
    }

    /// What an administrator does: ends the processes, also of containers that have the ids by now, and lets the runtime delete those.
    private static func endWhatLives(_ world: World) throws {
        // One whose first thread has ended does not say any more whose it is. Others' processes in a pod's cgroup, or in
        // one that is named after a container, are named too.
        let known = world.ledger.owners.compactMap { thing, owners -> String? in
            if case .process(let pid, _) = thing, owners != [.others] { "\(pid)" } else { nil }
        }
        try world.run(
            """
            \(Cleaning.thawing(world))
            \(Cleaning.containers)
            kill -9 \(known.joined(separator: " ")) 2>/dev/null || true
            find \(world.node.sample.cgroupRoots.joined(separator: " ")) -mindepth 2 -name cgroup.procs -exec cat {} + \
                2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null || true
            for id in $(ls \(world.runtimeRoot)); do \(world.runtimeCall) delete --force $id 2>/dev/null || true; done
            """)
        for _ in 0..<500 where world.ledger.owners.contains(where: { $0.key.isProcess && $0.value != [.others] }) {
            pause(milliseconds: 10)
            world.see(by: .others)
        }
    }
}
