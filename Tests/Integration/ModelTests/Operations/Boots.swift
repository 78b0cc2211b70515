import GRDB
import SamplePod
import SandboxRegistry
import TestNode
import TestPods

/// What lives in memory goes with a boot; directories stay.
enum Boots {
    static let kinds: [OperationKind] = [OperationKind(2) { _ in reboot() }]

    static func reboot() -> Operation {
        Operation("reboot", if: { !$0.records.values.allSatisfy(\.isEmpty) }) { world in
            world.note(
                "# A reboot: processes, cgroups, mounts, pins and runtimes' states go, and the boot's id is another.")
            try shell(Cleaning.memory(world), seconds: 120)
            world.isHidden = false
            for registry in RegistryName.allCases where world.records[registry] != nil {
                let database = try DatabaseQueue(path: world.path(registry))
                try database.write {
                    try $0.execute(
                        sql: "UPDATE sandbox SET boot_id = '11111111-2222-3333-4444-55555555555\(world.boot)'")
                }
                try database.close()
            }
            world.boot += 1
            for _ in 0..<200 {
                world.see(by: .others)
                if !world.ledger.owners.keys.contains(where: \.isProcess) { break }
                pause(milliseconds: 5)
            }
        }
    }
}

/// Scripts that take away what there is, whatever it is.
enum Cleaning {
    /// What goes with a boot.
    static func memory(_ world: World) -> String {
        let roots = world.node.sample.cgroupRoots.joined(separator: " ")
        let pids = world.ledger.owners.keys.compactMap { thing -> String? in
            if case .process(let pid, _) = thing { "\(pid)" } else { nil }
        }.joined(separator: " ")
        let (base, state) = (world.base, world.node.sample.runtimeRoot)
        return """
            \(world.isHidden ? "umount /proc" : "")
            \(marked)
            for n in $(seq 500); do
                \(thawing(world))
                pids=$(find \(roots) -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
                [ $n = 1 ] && pids="$pids \(pids)"
                [ -n "$pids" ] || break
                kill -9 $pids 2>/dev/null || true
                sleep 0.01
            done
            find \(roots) -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
            sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .*/\\1/p' /proc/self/mountinfo | grep '^\(base)/' | tac | while read p; do
                umount -l $p 2>/dev/null || true
            done
            rm -rf \(base)/netns/* \(state)/* \(base)/crun/*
            """
    }

    /// Thaws whatever is frozen, on either cgroup version.
    static func thawing(_ world: World) -> String {
        let roots = world.node.sample.cgroupRoots.joined(separator: " ")
        return """
            find \(roots) -name freezer.state 2>/dev/null | while read f; do echo THAWED >$f || true; done
            find \(roots) -mindepth 2 -name cgroup.freeze 2>/dev/null | while read f; do echo 0 >$f || true; done
            """
    }

    /// Ends every process that says that it belongs to a history.
    static let marked = killing("")
    /// The same, but for outsiders.
    static let containers = killing("[^\(Owner.others.making.prefix(1))]")

    private static func killing(_ whose: String) -> String {
        "grep -lsaz '^\(Seen.mark)\(whose)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -9 2>/dev/null || true"
    }

    static func script(_ world: World) -> String {
        let (base, library) = (world.base, world.node.library)
        return memory(world) + """

            rm -rf \(base)/sandboxes/* \(base)/containers/* \(base)/volume/copy \(library)/*
            """
    }
}
