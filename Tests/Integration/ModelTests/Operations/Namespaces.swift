import SamplePod
import TestNode
import TestPods

/// Pins of network namespaces: left over, replaced, held by others.
enum Namespaces {
    static let kinds: [OperationKind] = [
        .ofSandbox(2) { unmount($0) },
        .ofSandbox(2) { delete($0) },
        .ofSandbox(3) { pinOther($0) },
        .ofSandbox(2) { hold($0) },
    ]

    private static func isPinned(_ world: World, _ id: String) -> Bool {
        world.isMounted(world.node.pin(ofSandbox: id))
    }

    static func unmount(_ id: String) -> Operation {
        Operation("unmount pin", if: { isPinned($0, id) }) { world in
            let pin = world.node.pin(ofSandbox: id)
            try world.run("umount \(pin)")
            // What a namespace was pinned on that no registry knows is an empty file now, which nobody misses.
            let isKnown = world.records.values.flatMap(\.values).contains {
                $0.pin == world.ledger.owner(of: pin)?.making
            }
            if !isKnown { world.ledger.give(beneath: pin, to: .either) }
        }
    }

    static func delete(_ id: String) -> Operation {
        Operation("delete pin", if: { $0.exists($0.node.pin(ofSandbox: id)) }) { world in
            let pin = world.node.pin(ofSandbox: id)
            try world.run(world.unmounting(beneath: pin) + "rm \(pin)")
        }
    }

    /// Another namespace, on the old file or on a new one; its inode is mostly that of the one before.
    static func pinOther(_ id: String) -> Operation {
        Operation("pin another namespace") { world in
            let pin = world.node.pin(ofSandbox: id)
            if isPinned(world, id) { try world.run("umount \(pin)") }
            try world.run("touch \(pin); unshare --net=\(pin) true")
            // Its file is no left-over as long as somebody else's namespace is on it.
            world.ledger.give(beneath: pin, to: .others)
        }
    }

    static func hold(_ id: String) -> Operation {
        Operation("hold namespace", if: { isPinned($0, id) }) { world in
            try world.run(Outsiders.process("nsenter --net=\(world.node.pin(ofSandbox: id)) sleep 3333"))
        }
    }
}
