import SamplePod
import TestNode
import TestPods

/// What is mounted over, in and beside the pod's directories, and taken away there.
enum Mounts {
    static let kinds: [OperationKind] = [
        .ofEither(2) { mountOver($0, bindsVolume: true) },
        .ofEither(1) { mountOver($0, bindsVolume: false) },
        .ofEither(3) { mountIn($0, "more", times: 1) },
        .ofEither(1) { mountIn($0, "deep/er/than/all/that/a/place/of/the/first/pro/to/col/may/have/in", times: 1) },
        .ofEither(1) { mountIn($0, "stack", times: 30) },
        .ofSandbox(2) { unmountShm($0) },
        .ofSandbox(2) { mountShm($0) },
        .ofContainer(1) { unmountRootfs($0) },
        .ofSandbox(1) { copyShm($0) },
    ]

    /// Not where a link leads elsewhere.
    private static func isDirectory(_ world: World, _ path: String) -> Bool {
        world.ledger.entries[path].flatMap { world.ledger.values[$0] }?.hasPrefix("4") == true
    }

    static func mountOver(_ id: String, bindsVolume: Bool) -> Operation {
        Operation("mount over directory", if: { isDirectory($0, $0.directory(of: id)) }) { world in
            let directory = world.directory(of: id)
            try world.run(
                bindsVolume
                    ? "mount --bind \(world.node.sample.volume) \(directory)" : "mount -t tmpfs over \(directory)")
        }
    }

    static func mountIn(_ id: String, _ name: String, times: Int) -> Operation {
        Operation(
            "mount in directory", if: { isDirectory($0, $0.directory(of: id)) && !$0.isMounted($0.directory(of: id)) }
        ) {
            world in
            let (directory, volume) = (world.directory(of: id), world.node.sample.volume)
            try world.run(
                """
                mkdir -p \(directory)/\(name)
                for n in $(seq \(times)); do mount --bind \(volume) \(directory)/\(name); done
                """)
        }
    }

    private static func shm(_ world: World, _ id: String) -> String { "\(world.node.directory(ofSandbox: id))/shm" }

    static func unmountShm(_ id: String) -> Operation {
        Operation(
            "unmount shm", if: { $0.isMounted(shm($0, id)) && !$0.isMounted($0.node.directory(ofSandbox: id)) }
        ) { world in
            try world.run("umount -l \(shm(world, id))")
        }
    }

    static func mountShm(_ id: String) -> Operation {
        Operation(
            "mount shm", if: { isDirectory($0, shm($0, id)) && !$0.isMounted($0.node.directory(ofSandbox: id)) }
        ) { world in
            try world.run("mount -t tmpfs -o size=1m again \(shm(world, id)); echo again >\(shm(world, id))/data")
        }
    }

    static func unmountRootfs(_ id: String) -> Operation {
        Operation(
            "unmount rootfs",
            if: { $0.isMounted("\($0.node.directory(of: id))/rootfs") && !$0.isMounted($0.node.directory(of: id)) }
        ) { world in
            try world.run("umount -l \(world.node.directory(of: id))/rootfs")
        }
    }

    /// Somebody else has the same filesystem at a place of his own.
    static func copyShm(_ id: String) -> Operation {
        Operation("copy shm's mount", if: { $0.isMounted(shm($0, id)) && !$0.exists("\($0.node.sample.volume)/copy") })
        {
            world in
            let copy = "\(world.node.sample.volume)/copy"
            try world.run("mkdir \(copy); mount --bind \(shm(world, id)) \(copy)")
        }
    }
}
