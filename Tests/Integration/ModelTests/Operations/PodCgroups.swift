import SamplePod
import TestNode
import TestPods

/// The pods' own cgroups, as CRI-O makes one beside its containers', or a kubelet one above them.
enum PodCgroups {
    static let kinds: [OperationKind] = [
        .ofSandbox(3) { make($0) },
        .ofSandbox(1) { remove($0) },
        .ofSandbox(2) { replace($0) },
        .ofSandbox(1) { addProcess($0) },
        .ofSandbox(1) { addEmpty($0) },
    ]

    /// Beneath the node's cgroup in each hierarchy.
    static func name(_ sandbox: String) -> String { "pod-\(sandbox)" }

    /// Two hierarchies are enough to be more than one; a process may enter a new cgroup of theirs at once.
    private static func places(_ world: World, _ sandbox: String) -> [String] {
        let hierarchies = Cgroups.isVersion2Alone ? [""] : ["/pids", "/systemd"]
        return hierarchies.map { "/sys/fs/cgroup\($0)\(SampleNode.cgroup)/\(name(sandbox))" }
    }

    /// Those that are there.
    static func paths(_ world: World, _ sandbox: String) -> [String] {
        places(world, sandbox).filter { world.isThere(cgroup: $0) }
    }

    static func make(_ id: String) -> Operation {
        Operation("make pod's cgroups", if: { paths($0, id).isEmpty }) { world in
            try world.run(
                "mkdir \(places(world, id).joined(separator: " "))",
                by: Owner(making: world.making("\(id).cgroup").name, boot: world.boot))
        }
    }

    private static func isEmpty(_ world: World, _ id: String) -> Bool {
        let found = paths(world, id)
        return !found.isEmpty && found.allSatisfy { (contents(of: "\($0)/cgroup.procs") ?? "").isEmpty }
            && !world.ledger.owners.keys.contains { thing in
                thing.isCgroup && found.contains { thing.path != $0 && thing.path?.isBeneath($0) == true }
            }
    }

    static func remove(_ id: String) -> Operation {
        Operation("remove pod's cgroups", if: { isEmpty($0, id) }) { world in
            try world.run("rmdir \(paths(world, id).joined(separator: " "))")
        }
    }

    /// The same paths, other inodes.
    static func replace(_ id: String) -> Operation {
        Operation("make pod's cgroups anew", if: { isEmpty($0, id) }) { world in
            let found = paths(world, id).joined(separator: " ")
            try world.run("rmdir \(found); mkdir \(found)")
        }
    }

    /// Somebody else's process, which podreap may not end.
    static func addProcess(_ id: String) -> Operation {
        Operation("process in pod's cgroup", if: { isEmpty($0, id) }) { world in
            let found = paths(world, id).joined(separator: " ")
            try world.run("\(Outsiders.process("sleep 4445"))\nfor g in \(found); do echo $! >$g/cgroup.procs; done")
        }
    }

    static func addEmpty(_ id: String) -> Operation {
        Operation("add cgroup beneath pod's", if: { !paths($0, id).isEmpty }) { world in
            guard let path = paths(world, id).first else { return }
            let owners = world.ledger.owners.first { $0.key.isCgroup && $0.key.path == path }?.value ?? []
            try world.run("mkdir -p \(path)/in", by: owners.first { !$0.isAbove } ?? .others)
        }
    }
}
