import Foundation
import SamplePod
import TestNode
import TestPods

/// What makes sandboxes and containers, also again under ids that were.
enum Making {
    static let kinds: [OperationKind] = [
        .ofSandbox(4) { sandbox($0) },
        .ofSandbox(3) { pin($0) },
        OperationKind(6) { container(Universe.container(&$0), Variant(&$0)) },
        .ofContainer(8) { start($0) },
        .ofContainer(1) { create($0) },
    ]

    static func sandbox(_ id: String) -> Operation {
        Operation("make sandbox", if: { !$0.exists($0.node.directory(ofSandbox: id)) }) { world in
            let making = world.making(id)
            let directory = world.node.directory(ofSandbox: id)
            try world.run(
                "mkdir -p \(directory)/shm; mount -t tmpfs -o size=1m shm \(directory)/shm; echo \(making.name) >\(directory)/shm/data",
                by: Owner(making: making.name))
            world.current[id] = making
        }
    }

    static func pin(_ id: String) -> Operation {
        Operation("pin namespace", if: { !$0.exists($0.node.pin(ofSandbox: id)) }) { world in
            let pin = world.node.pin(ofSandbox: id)
            try world.run(
                ": >\(pin); unshare --net=\(pin) true",
                by: Owner(making: world.making("\(id).pin").name, boot: world.boot))
        }
    }

    /// What a container is like.
    struct Variant: Sendable, CustomStringConvertible {
        enum Script: String, CaseIterable { case sleeps, hasChild, ignoresTerm, losesFirstThread }
        enum Place: String, CaseIterable { case own, ownAgain, sharesC1s, beneathC1s, beneathPods }

        var script = Script.sleeps
        var isHostPID = false
        var isOverlay = true
        var place = Place.own

        init() {}

        init(_ random: inout Seeded) {
            script =
                [.sleeps, .sleeps, .hasChild, .hasChild, .hasChild, .ignoresTerm, .losesFirstThread]
                .randomElement(using: &random) ?? .sleeps
            isHostPID = Int.random(in: 0..<3, using: &random) == 0
            isOverlay = Int.random(in: 0..<4, using: &random) > 0
            place =
                [.own, .own, .ownAgain, .sharesC1s, .beneathC1s, .beneathPods].randomElement(using: &random) ?? .own
        }

        var description: String {
            [script.rawValue, isHostPID ? "hostPID" : "", isOverlay ? "" : "plain rootfs", place.rawValue]
                .filter { !$0.isEmpty }.joined(separator: ", ")
        }

        fileprivate func container(_ id: String) -> PlainContainer {
            var container = PlainContainer()
            switch script {
            case .sleeps: container.script = "exec sleep 100000"
            case .hasChild: container.script = "(trap '' TERM; exec sleep 50000) & exec sleep 50001"
            case .ignoresTerm: container.script = "trap '' TERM; exec sleep 60000"
            case .losesFirstThread: container.script = "exec /bin/leader"
            }
            if isHostPID { container.namespaces = ["mount", "ipc", "uts"] }
            container.isOverlay = isOverlay
            if id != "c1", place == .sharesC1s { container.cgroup = "c1" }
            if id != "c1", place == .beneathC1s { container.cgroup = "c1/inner" }
            if place == .beneathPods { container.cgroup = "\(PodCgroups.name(Universe.sandbox(of: id)))/\(id)" }
            return container
        }
    }

    static func container(_ id: String, _ variant: Variant) -> Operation {
        Operation("make container", if: { !$0.exists($0.node.directory(of: id)) }) { world in
            var making = world.making(id)
            making.container = variant.container(id)
            making.bundle = world.node.directory(of: id)
            // The making and the boot, so that each process says whose it is.
            making.container.environment = ["\(Seen.mark)\(making.name)@\(world.boot)"]
            world.note("bundle \(id)   # \(variant); its processes are \(making.name)'s")
            try world.node.bundle(id, making.container)
            world.see(by: Owner(making: making.name))
            world.current[id] = making
        }
    }

    static func isStartable(_ world: World, _ id: String) -> Bool {
        guard let making = world.place(id), world.processes(of: making.name).isEmpty, !world.exists(world.state(of: id))
        else {
            return false
        }
        let directory = making.bundle
        // A runtime would have it live with what somebody else has put into a cgroup of its name.
        let isAnothers = world.ledger.owners.contains { thing, owners in
            guard thing.isCgroup, owners == [.others], let path = thing.path else { return false }
            return world.node.sample.cgroupRoots.contains { path == "\($0)/\(making.container.cgroup ?? id)" }
        }
        guard !isAnothers else { return false }
        guard world.exists("\(directory)/config.json"), !world.isMounted(directory) else { return false }
        return !making.container.isOverlay || world.isMounted("\(directory)/rootfs")
    }

    static func start(_ id: String) -> Operation {
        Operation("start container", if: { isStartable($0, id) }) { world in
            try world.start(id, "run -d")
        }
    }

    /// A container that waits for its start, with an init of the runtime's own.
    static func create(_ id: String) -> Operation {
        Operation("create container", if: { isStartable($0, id) }) { world in
            try world.start(id, "create")
        }
    }
}

extension World {
    /// Has the runtime make a container; all that it makes for it is the bundle's making's, in this boot.
    func start(_ id: String, _ verb: String) throws {
        guard let making = current[id] else { return }
        // After a reboot the processes are others than those that were registered.
        if boot > 0 { try run("sed -i 's/\(making.name)@[0-9]*/\(making.name)@\(boot)/' \(making.bundle)/config.json") }
        let isIdentified = !records.values.contains { registry in
            registry.values.contains { $0.containers[id]?.isEmpty == true }
        }
        // A registered id of which nothing was there: nobody can say that this is, or is not, what was meant.
        let owner = isIdentified ? Owner(making: making.name, boot: boot) : .either
        let script =
            "cd \(making.bundle); \(runtimeCall) \(verb) --bundle . --pid-file pid \(id) </dev/null >/dev/null 2>log"
        note(script)
        // A runtime that cannot is a person's failure: it has left nothing, or what it has left is the container's.
        do { try shell(script) } catch {
            note("# the runtime fails: \((contents(of: "\(making.bundle)/log") ?? "").prefix(200))")
        }
        if let pid = Int32(contents(of: "\(making.bundle)/pid") ?? ""), let startTime = Seen.startTime(of: pid) {
            ledger.track(pid: pid, startTime: startTime, owner)
            settle(pid, making, owner, isCreated: verb == "create")
        }
        see(by: owner)
        if !isIdentified { for thing in ledger.owners.keys where thing.isProcess { relabel(thing, making.name) } }
        share(making.container.cgroup ?? id, owner)
    }

    private func relabel(_ thing: Thing, _ making: String) {
        if ledger.owners[thing]?.contains(where: { $0.making == making }) == true { ledger.give(thing, to: .either) }
    }

    /// Waits until the container is what its script makes of it.
    private func settle(_ pid: Int32, _ making: Making, _ owner: Owner, isCreated: Bool) {
        if isCreated { return }
        let script = making.container.script
        for _ in 0..<1000 {
            let command = contents(of: "/proc/\(pid)/cmdline", limit: 64) ?? ""
            if script.contains("leader") {
                if (contents(of: "/proc/\(pid)/stat", limit: 200) ?? "").contains(") Z") { return }
            } else if command.hasPrefix("sleep") {
                if !script.contains("50000") { return }
                see(by: owner)
                let sleeping = processes(of: making.name).filter {
                    (contents(of: "/proc/\($0)/cmdline", limit: 64) ?? "").hasPrefix("sleep")
                }
                if sleeping.count > 1 { return }
            }
            pause(milliseconds: 2)
        }
    }

    /// A cgroup that a container lives in is that container's too, and those above it must not go as long as it lives.
    private func share(_ cgroup: String, _ owner: Owner) {
        for (thing, owners) in ledger.owners {
            guard case .cgroup(let path, _) = thing else { continue }
            for root in node.sample.cgroupRoots where "\(root)/\(cgroup)".isBeneath(path) {
                if path == "\(root)/\(cgroup)" {
                    ledger.share(thing, with: owner)
                } else if owners == [owner] {
                    ledger.give(thing, to: owner.above)
                } else {
                    ledger.share(thing, with: owner.above)
                }
            }
        }
    }
}
