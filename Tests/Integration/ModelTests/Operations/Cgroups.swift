import SamplePod
import TestNode
import TestPods

/// Cgroups that are removed by others, and made again.
enum CgroupChanges {
    static let kinds: [OperationKind] = [
        .ofContainer(1) { remove($0) },
        .ofContainer(3) { make($0) },
        .ofContainer(1) { addEmpty($0) },
    ]

    /// Where a process may enter a new cgroup at once, unlike cpuset.
    private static var hierarchies: [String] {
        if Cgroups.isVersion2Alone { return ["/sys/fs/cgroup"] }
        return ["freezer", "pids", "memory", "devices", "systemd", "unified"].map { "/sys/fs/cgroup/\($0)" }
    }

    private static func paths(_ world: World, _ id: String) -> [String] {
        world.node.sample.cgroupRoots.map { "\($0)/\(id)" }
    }

    static func remove(_ id: String) -> Operation {
        Operation(
            "remove cgroups",
            if: { world in
                guard let making = world.current[id], world.processes(of: making.name).isEmpty else { return false }
                return paths(world, id).contains { world.isThere(cgroup: $0) }
            }
        ) { world in
            let roots = paths(world, id).joined(separator: " ")
            try world.run("find \(roots) -depth -type d -exec rmdir {} + 2>/dev/null || true")
        }
    }

    /// The same path, another inode, and somebody else's process in it.
    static func make(_ id: String) -> Operation {
        Operation(
            "make cgroups anew",
            if: { world in !paths(world, id).contains { world.isThere(cgroup: $0) } && !isNamed(world, id) }
        ) { world in
            let places = hierarchies.map { "\($0)\(SampleNode.cgroup)/\(id)" }.joined(separator: " ")
            try world.run(
                """
                mkdir \(places)
                \(Outsiders.process("sleep 4444"))
                for g in \(places); do echo $! >$g/cgroup.procs; done
                """)
        }
    }

    /// Whether a state names the cgroup that podreap has never seen: it would have to believe that what is there is meant.
    private static func isNamed(_ world: World, _ id: String) -> Bool {
        let seen = world.records.values.flatMap(\.values).reduce(into: Set<String>()) { $0.formUnion($1.seen) }
        return world.current.contains { container, making in
            (making.container.cgroup ?? container) == id && world.exists(world.state(of: container))
                && !seen.contains(making.name)
        }
    }

    /// Beneath a living container's, as a service manager in it makes them.
    static func addEmpty(_ id: String) -> Operation {
        Operation("add cgroup beneath", if: { world in paths(world, id).contains { world.isThere(cgroup: $0) } }) {
            world in
            guard let path = paths(world, id).first(where: { world.isThere(cgroup: $0) }) else { return }
            let owners = world.ledger.owners.first { $0.key.isCgroup && $0.key.path == path }?.value
            try world.run("mkdir -p \(path)/in", by: owners?.first ?? .others)
        }
    }
}
