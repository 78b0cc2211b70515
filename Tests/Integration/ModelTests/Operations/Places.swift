import SamplePod
import TestNode
import TestPods

/// Directories that are replaced, moved, made again.
enum Places {
    static let kinds: [OperationKind] = [
        .ofEither(2) { moveAway($0) },
        .ofEither(3) { moveBack($0) },
        .ofEither(3) { replace($0) },
        .ofEither(1) { replaceByLink($0) },
        .ofEither(2) { removeByHand($0) },
        .ofEither(3) { makeByHand($0) },
        .ofEither(1) { addFile($0) },
    ]

    private static func away(_ directory: String) -> String { "\(directory)-away" }

    /// What was moved is the mover's.
    private static func move(_ world: World, _ id: String) throws {
        let directory = world.directory(of: id)
        try world.run("mv \(directory) \(away(directory))")
    }

    private static func isMovable(_ world: World, _ id: String) -> Bool {
        let directory = world.directory(of: id)
        return world.exists(directory) && !world.isMounted(directory) && !world.exists(away(directory))
    }

    static func moveAway(_ id: String) -> Operation {
        Operation("move directory away", if: { isMovable($0, id) }) { try move($0, id) }
    }

    static func moveBack(_ id: String) -> Operation {
        Operation(
            "move directory back",
            if: { world in
                let directory = world.directory(of: id)
                return world.exists(away(directory)) && !world.exists(directory)
            }
        ) { world in
            let directory = world.directory(of: id)
            world.note("mv \(away(directory)) \(directory)")
            try shell("mv \(away(directory)) \(directory)")
            world.see(by: .others, remembering: true)
        }
    }

    static func replace(_ id: String) -> Operation {
        Operation("replace directory", if: { isMovable($0, id) }) { world in
            let directory = world.directory(of: id)
            try move(world, id)
            try world.run("mkdir \(directory); echo mine >\(directory)/data")
        }
    }

    static func replaceByLink(_ id: String) -> Operation {
        Operation("replace directory by link", if: { isMovable($0, id) }) { world in
            let directory = world.directory(of: id)
            try move(world, id)
            try world.run("ln -s \(away(directory)) \(directory)")
        }
    }

    /// Only what runs no more.
    static func removeByHand(_ id: String) -> Operation {
        Operation(
            "remove directory by hand",
            if: { world in
                guard let making = world.place(id) else { return false }
                return Universe.isSandbox(id) || world.processes(of: making.name).isEmpty
            }
        ) { world in
            let directory = world.directory(of: id)
            try world.run(world.unmounting(beneath: directory) + "rm -rf --one-file-system \(directory)")
        }
    }

    /// On ext4 it has the inode of what was there.
    static func makeByHand(_ id: String) -> Operation {
        Operation("make directory by hand", if: { !$0.exists($0.directory(of: id)) }) { world in
            let directory = world.directory(of: id)
            let mount =
                "mkdir \(directory)/shm; mount -t tmpfs -o size=1m mine \(directory)/shm; echo mine >\(directory)/shm/data"
            try world.run(
                "mkdir \(directory); echo mine >\(directory)/data\(Universe.isSandbox(id) ? "; \(mount)" : "")")
        }
    }

    static func addFile(_ id: String) -> Operation {
        Operation("add file", if: { $0.exists($0.directory(of: id)) && !$0.isMounted($0.directory(of: id)) }) { world in
            try world.run("mkdir -p \(world.directory(of: id))/more; echo more >\(world.directory(of: id))/more/file")
        }
    }
}
