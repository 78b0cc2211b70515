import SamplePod
import TestNode
import TestPods

/// What other callers of the runtime do, and what becomes of its state.
enum Runtimes {
    static let kinds: [OperationKind] = [
        .ofContainer(2) { delete($0, force: false) },
        .ofContainer(2) { delete($0, force: true) },
        .ofContainer(3) { lose($0) },
        .ofContainer(3) { stateFile($0, "empty state", ": >") },
        .ofContainer(1) { stateFile($0, "lose state file", "rm ") },
        .ofContainer(1) { stateFile($0, "damage state", "truncate -s 300 ") },
        .ofContainer(5) { takeApart($0) },
        .ofSandbox(3) { takeApartSandbox($0) },
        OperationKind(4) { runAnother(Universe.container(&$0), inCgroupOfOld: Bool.random(using: &$0)) },
        OperationKind(1) { _ in dropRuntime() },
        OperationKind(1) { _ in listRuntime() },
    ]

    static func delete(_ id: String, force: Bool) -> Operation {
        Operation(force ? "delete by force" : "delete from runtime", if: { $0.exists($0.state(of: id)) }) { world in
            try world.run(
                "\(world.runtimeCall) delete \(force ? "--force " : "")\(id) 2>/dev/null || true"
            )
        }
    }

    static func lose(_ id: String) -> Operation {
        Operation("lose state", if: { $0.exists($0.state(of: id)) }) { world in
            world.damage(id)
            try world.run("rm -r \(world.state(of: id))")
        }
    }

    private static func stateFile(_ id: String, _ name: String, _ command: String) -> Operation {
        Operation(name, if: { $0.exists("\($0.state(of: id))/\($0.stateFile)") }) { world in
            let owner = world.ledger.owner(of: world.state(of: id)) ?? .others
            world.damage(id)
            try world.run("\(command)\(world.state(of: id))/\(world.stateFile)", by: owner)
        }
    }

    /// A person's removal: everything of the container goes.
    static func takeApart(_ id: String) -> Operation {
        Operation("take container apart", if: { $0.place(id) != nil }) { world in
            let (root, directory) = (world.runtimeRoot, world.node.directory(of: id))
            let pids = world.processes(of: world.place(id)?.name ?? "").map(String.init).joined(separator: " ")
            try world.run(
                """
                \(world.runtimeCall) delete --force \(id) 2>/dev/null || true
                kill -9 \(pids) 2>/dev/null || true
                """)
            _ = NodeProcess.waitForEnd(of: pids.split(separator: " ").compactMap { Int32($0) }, seconds: 1)
            world.see(by: .others)
            // What cannot be ended so, as it is frozen, keeps its files.
            guard world.processes(of: world.place(id)?.name ?? "").isEmpty else { return }
            try world.run(world.unmounting(beneath: directory) + "rm -rf --one-file-system \(root)/\(id) \(directory)")
        }
    }

    static func takeApartSandbox(_ id: String) -> Operation {
        Operation("take sandbox apart", if: { $0.place(id) != nil }) { world in
            let (directory, pin) = (world.node.directory(ofSandbox: id), world.node.pin(ofSandbox: id))
            try world.run(
                world.unmounting(beneath: directory) + world.unmounting(beneath: pin)
                    + "rm -rf --one-file-system \(directory) \(pin)")
        }
    }

    /// Somebody runs a container under the same id with files of his own; also where the old one's processes still are.
    static func runAnother(_ id: String, inCgroupOfOld: Bool) -> Operation {
        Operation("run another container of that id", if: { !$0.exists($0.state(of: id)) && !$0.exists(other($0, id)) })
        { world in
            let bundle = other(world, id)
            var making = world.making("\(id).other")
            making.container.environment = ["\(Seen.mark)\(making.name)@\(world.boot)"]
            let old = world.current[id].map { $0.container.cgroup ?? id } ?? id
            making.container.cgroup = inCgroupOfOld ? old : "other-\(id)"
            making.bundle = bundle
            try world.node.bundle(bundle.lastComponent, making.container)
            world.note("bundle \(bundle.lastComponent)   # its processes are \(making.name)'s")
            world.see(by: Owner(making: making.name))
            let own = world.current[id]
            world.current[id] = making
            try world.start(id, "run -d")
            world.current[id] = own
        }
    }

    private static func other(_ world: World, _ id: String) -> String { world.node.directory(of: "other-\(id)") }

    /// An administrator removes the runtime's line.
    static func dropRuntime() -> Operation {
        Operation("drop runtime from helper.conf", if: { $0.isRuntimeListed }) { world in
            world.isRuntimeListed = false
            try world.setPolicy()
        }
    }

    static func listRuntime() -> Operation {
        Operation("list runtime in helper.conf", if: { !$0.isRuntimeListed }) { world in
            world.isRuntimeListed = true
            try world.setPolicy()
        }
    }
}

extension World {
    fileprivate func damage(_ id: String) {
        if let owner = ledger.owner(of: state(of: id)) { damaged.insert(owner.making) }
    }

    /// Makings that can be seen to have their state: it is at its place as the runtime has written it, and so is the directory, which
    /// tells whose it is.
    func intact(_ containers: some Sequence<String>, _ ledger: Ledger) -> Set<String> {
        let makings = containers.compactMap { id -> String? in
            let making = ledger.owner(of: state(of: id))?.making
            return making == ledger.owner(of: directory(of: id))?.making ? making : nil
        }
        return Set(makings).subtracting(damaged)
    }

    /// What detaches all that is mounted at a place and beneath it, each by itself.
    func unmounting(beneath path: String) -> String {
        let points = (try? mounts(beneath: path)) ?? []
        return points.reversed().map { "umount -l \($0)\n" }.joined()
    }

    func setPolicy() throws {
        let lines = policy.split(separator: "\n").filter { isRuntimeListed || !$0.hasPrefix("runtime = \(runtime) ") }
        note("# helper.conf: \(runtime) is \(isRuntimeListed ? "listed" : "not listed any more")")
        try node.setPolicy(lines.joined(separator: "\n") + "\n")
    }
}
