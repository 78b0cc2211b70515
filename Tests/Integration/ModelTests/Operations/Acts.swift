import SamplePod
import SandboxRegistry
import TestNode
import TestPods

/// What podreap is asked for.
enum Acts {
    static let kinds: [OperationKind] = [
        OperationKind(10) { remove(Universe.sandbox(&$0), registry(&$0)) },
        OperationKind(4) { stop(Universe.sandbox(&$0), registry(&$0)) },
        OperationKind(3) { removeContainer(Universe.container(&$0), registry(&$0)) },
        OperationKind(2) { stopContainer(Universe.container(&$0), registry(&$0)) },
        OperationKind(4) { crash(Universe.sandbox(&$0), registry(&$0), &$0) },
        OperationKind(2) { random in
            let id = Universe.sandbox(&random)
            return removeMeanwhile(id, registry(&random), Bool.random(using: &random))
        },
        OperationKind(1) { twice(Universe.sandbox(&$0), registry(&$0)) },
        .ofSandbox(1) { look($0) },
        OperationKind(1) { _ in collect() },
    ]

    /// What makes the records that the acts go by.
    static let registrations: [OperationKind] = [
        OperationKind(8) { random in
            register(
                Universe.sandbox(&random), registry(&random), withMissing: Int.random(in: 0..<6, using: &random) == 0)
        },
        .ofSandbox(1) { _ in copyRegistry() },
    ]

    private static func registry(_ random: inout Seeded) -> RegistryName {
        Int.random(in: 0..<6, using: &random) == 0 ? .second : .first
    }

    private static func isThere(_ world: World, _ registry: RegistryName) -> Bool { world.records[registry] != nil }

    /// Registers what there is; with those whose directories are missing, where that is wanted.
    static func register(_ id: String, _ registry: RegistryName, withMissing: Bool) -> Operation {
        Operation(
            "register",
            if: { world in
                guard world.records[registry]?[id] == nil, world.exists(world.node.directory(ofSandbox: id)) else {
                    return false
                }
                // Whose a container is that has one's id and another's files, nobody can say.
                return Universe.containers[id, default: []].allSatisfy { container in
                    guard let state = world.ledger.owner(of: world.state(of: container)) else { return true }
                    return state.making == world.ledger.owner(of: world.node.directory(of: container))?.making
                }
            }
        ) { world in
            let containers = Universe.containers[id, default: []].filter {
                withMissing || world.exists(world.node.directory(of: $0))
            }
            world.records[registry, default: [:]] = world.records[registry] ?? [:]
            try world.register(id, containers, registry)
        }
    }

    /// A copy of the first registry, as a backup is: it acts late.
    static func copyRegistry() -> Operation {
        Operation(
            "copy registry", if: { $0.records[.first]?.isEmpty == false && $0.records[.second] == nil }
        ) { world in
            let (first, second) = (world.path(.first), world.path(.second))
            let user = "\(PodNode.user)"
            // With what its log still holds.
            try world.run(
                "for e in '' -wal; do [ -e \(first)$e ] && cp \(first)$e \(second)$e && chown \(user):\(user) \(second)$e; done || true"
            )
            world.records[.second] = world.records[.first]
        }
    }

    static func remove(_ id: String, _ registry: RegistryName) -> Operation {
        Operation("remove", if: { isThere($0, registry) }) { world in
            try world.perform(.remove(id), on: id, registry)
        }
    }

    static func stop(_ id: String, _ registry: RegistryName) -> Operation {
        Operation("stop", if: { isThere($0, registry) }) { try $0.perform(.stop(id), on: id, registry) }
    }

    static func removeContainer(_ id: String, _ registry: RegistryName) -> Operation {
        Operation("remove container", if: { isThere($0, registry) }) {
            try $0.perform(.removeContainer(id), on: id, registry)
        }
    }

    static func stopContainer(_ id: String, _ registry: RegistryName) -> Operation {
        Operation("stop container", if: { isThere($0, registry) }) {
            try $0.perform(.stopContainer(id), on: id, registry)
        }
    }

    static func look(_ id: String) -> Operation {
        Operation("plan", if: { isThere($0, .first) }) { world in
            try world.perform(.look, on: id, .first)
        }
    }

    // MARK: Not undisturbed

    /// A removal or stop that is killed, or whose helpers are.
    static func crash(_ id: String, _ registry: RegistryName, _ random: inout Seeded) -> Operation {
        let act = Int.random(in: 0..<4, using: &random) == 0 ? Act.stop(id) : .remove(id)
        let words = [
            "\(Int.random(in: 0..<16, using: &random))",
            ["before", "during", "after"].randomElement(using: &random) ?? "after",
            Int.random(in: 0..<4, using: &random) == 0 ? "helpers" : "orchestrator",
            "\(Int.random(in: 0..<6000, using: &random))",
        ]
        return Operation("crash", if: { $0.records[registry]?[id] != nil }) { world in
            try world.perform(act, on: id, registry, crash: words)
        }
    }

    /// While another caller does the same by hand.
    static func removeMeanwhile(_ id: String, _ registry: RegistryName, _ unmounts: Bool) -> Operation {
        Operation("remove meanwhile", if: { $0.records[registry]?[id]?.directory != nil && $0.place(id) != nil }) {
            world in
            guard let record = world.records[registry]?[id], world.place(id)?.name == record.directory else { return }
            let shm = "\(world.node.directory(ofSandbox: id))/shm"
            var script = "umount -l \(shm) 2>/dev/null || true"
            if unmounts {
                // Who of the two has taken it away, nobody can say.
                for thing in world.ledger.owners.keys where thing.isMount && thing.path == shm {
                    world.ledger.give(thing, to: .either)
                }
            }
            if !unmounts {
                // Only what is the record's: another's container is not this caller's either.
                let own = record.containers.keys.sorted().filter { container in
                    world.ledger.owner(of: world.state(of: container)).map { record.owns($0) } == true
                }
                script = own.map {
                    "\(world.runtimeCall) delete --force \($0) 2>/dev/null || true"
                }
                .joined(separator: "\n")
            }
            try world.perform(.remove(id), on: id, registry, meanwhile: script)
        }
    }

    /// Two at once get the same answer.
    static func twice(_ id: String, _ registry: RegistryName) -> Operation {
        Operation("remove twice at once", if: { $0.records[registry]?[id] != nil }) { world in
            let before = world.ledger
            let calls = [try world.begin("remove", id, registry), try world.begin("remove", id, registry)]
            let answers = try calls.map { try $0.end() }
            world.note("podreap remove \(id) & podreap remove \(id)   # say: \(answers[0]) and: \(answers[1])")
            try world.waitForHelpers("remove \(id) twice at once")
            let worst = answers.first { $0.outcome == "incomplete" } ?? answers[0]
            // One that came late finds nothing.
            let said = worst.outcome == "unknown" ? answers[1] : worst
            try world.judge(.remove(id), id, registry, said, before)
        }
    }

    /// Whatever no registry knows and nothing lives in goes; all else stays.
    static func collect() -> Operation {
        Operation("gc --remove", if: { isThere($0, .first) }) { world in
            let before = world.ledger
            let answer = try world.call("collect", "all", .first)
            world.see(by: .others)
            let known = world.records[.first]?.values.map { $0 } ?? []
            let living = Set(before.owners.filter(\.key.isProcess).flatMap(\.value).map(\.making)).subtracting([
                "others"
            ])
            world.violations += Promise.violationsOfCollection(
                before, after: world.ledger,
                isKept: { owner in living.contains(owner.making) || known.contains { $0.owns(owner) } },
                isNodes: { thing in
                    guard let path = thing.path else { return true }
                    return !["sandboxes", "containers", "netns", "runtime", "crun"].contains {
                        path.isBeneath("\(world.base)/\($0)")
                    }
                        && !thing.isCgroup
                })
            if answer.outcome == "crashed" { world.violations.append("gc has crashed: \(answer.output)") }
        }
    }
}
