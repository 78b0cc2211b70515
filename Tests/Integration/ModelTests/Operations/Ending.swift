import SamplePod
import TestNode
import TestPods

/// How containers end, or do not, without podreap.
enum Ending {
    static let kinds: [OperationKind] = [
        .ofContainer(5) { killInit($0) },
        .ofContainer(2) { killAll($0) },
        .ofContainer(2) { pause($0) },
        .ofContainer(3) { freezeChild($0) },
        OperationKind(3) {
            let id = Universe.container(&$0)
            return moveOut(id, hierarchies.randomElement(using: &$0) ?? [])
        },
        .ofContainer(1) { moveInitOut($0) },
    ]

    private static var isVersion2: Bool { Cgroups.isVersion2Alone }
    static var freezer: String { isVersion2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/freezer" }
    /// Several that a process can be moved out of at once. On version 2 there is one, and who is moved out of it is in none.
    private static let hierarchies = [
        ["memory", "devices", "cpu", "blkio", "cpuacct"], ["freezer", "pids", "systemd"], ["devices"],
        ["memory", "freezer", "cpuset", "cpu", "cpuacct", "blkio", "pids", "systemd"],
    ]

    private static func pids(_ world: World, _ id: String) -> [Int32] {
        world.current[id].map { world.processes(of: $0.name) } ?? []
    }

    private static func initPID(_ world: World, _ id: String) -> Int32? {
        guard let making = world.current[id], let pid = Int32(contents(of: "\(making.bundle)/pid") ?? "") else {
            return nil
        }
        return pids(world, id).contains(pid) ? pid : nil
    }

    private static func kill(_ pids: [Int32], _ world: World) throws {
        world.note("kill -9 \(pids.map(String.init).joined(separator: " "))")
        try shell("kill -9 \(pids.map(String.init).joined(separator: " ")) || true")
        // Not those that are frozen.
        _ = NodeProcess.waitForEnd(of: pids, seconds: 1)
        world.see(by: .others)
    }

    static func killInit(_ id: String) -> Operation {
        Operation("kill init", if: { initPID($0, id) != nil }) { world in
            guard let pid = initPID(world, id) else { return }
            try kill([pid], world)
        }
    }

    static func killAll(_ id: String) -> Operation {
        Operation("kill all processes", if: { !pids($0, id).isEmpty }) { world in
            try kill(pids(world, id), world)
        }
    }

    static func pause(_ id: String) -> Operation {
        Operation("pause", if: { initPID($0, id) != nil && $0.exists("\($0.state(of: id))/\($0.stateFile)") }) {
            world in
            try world.run("\(world.runtimeCall) pause \(id) 2>/dev/null || true")
        }
    }

    /// What a nested engine does: a cgroup beneath the container's is frozen, with one of its processes.
    static func freezeChild(_ id: String) -> Operation {
        Operation("freeze child", if: { child($0, id) != nil }) { world in
            guard let making = world.current[id], let pid = child(world, id) else { return }
            let inner = "\(freezer)\(world.cgroup(of: making, id))/engine"
            let freeze = isVersion2 ? "echo 1 >\(inner)/cgroup.freeze" : "echo FROZEN >\(inner)/freezer.state"
            try world.run(
                "mkdir -p \(inner); echo \(pid) >\(inner)/cgroup.procs; \(freeze)",
                by: Owner(making: making.name, boot: world.boot))
        }
    }

    private static func child(_ world: World, _ id: String) -> Int32? {
        guard let making = world.current[id], world.isThere(cgroup: "\(freezer)\(world.cgroup(of: making, id))") else {
            return nil
        }
        return pids(world, id).first { (contents(of: "/proc/\($0)/cmdline", limit: 64) ?? "").contains("50000") }
    }

    /// A daemon-reload moves a pod's processes to the root of some hierarchies.
    static func moveOut(_ id: String, _ hierarchies: [String]) -> Operation {
        Operation("move out of hierarchies", if: { !isVersion2 && !pids($0, id).isEmpty }) { world in
            for pid in pids(world, id) {
                let roots = hierarchies.map { "/sys/fs/cgroup/\($0)/cgroup.procs" }.joined(separator: " ")
                try world.run("for h in \(roots); do echo \(pid) >$h || true; done 2>/dev/null")
            }
        }
    }

    static func moveInitOut(_ id: String) -> Operation {
        Operation("move init out of all", if: { initPID($0, id) != nil }) { world in
            guard let pid = initPID(world, id) else { return }
            let roots = isVersion2 ? "/sys/fs/cgroup/cgroup.procs" : "/sys/fs/cgroup/*/cgroup.procs"
            try world.run("for h in \(roots); do echo \(pid) >$h || true; done 2>/dev/null")
        }
    }
}

extension World {
    /// A container's cgroup beneath a hierarchy.
    func cgroup(of making: Making, _ id: String) -> String { "\(SampleNode.cgroup)/\(making.container.cgroup ?? id)" }

    func isThere(cgroup: String) -> Bool {
        ledger.owners.keys.contains { $0.isCgroup && $0.path == cgroup }
    }
}
