import TestNode

/// What lies inside the roots and may be removed, with ways out of them everywhere; made again as it vanishes.
struct Prey {
    let hierarchies: [String]
    private let canary = Canaries.top
    private let containers: [SleepingContainer]

    static let containerIDs = ["sample-a", "sample-b", "outside", "missing", "canary", "A.b+c-_"]
    static let names =
        [
            "s1", "s2", "s3", "s4", "s5", "volumes", "bind", "shared", "inner", "shm", "link", "file", "fifo", "null",
            "empty",
            "c1", "c2", "rootfs", "etc", "passwd", "userdata", "e1", "e2", "e3", "g1", "g2", "sub", "deep", "deeper",
            "hard",
            "sample-1", "sample-2", "sample-left", "sample-stack", "01234567-89ab-cdef-0123-456789abcdef", "canary",
            "tree",
            "mnt", "proc", "sys", "tmpfs", "pins", "net", "runc", "outside", "bundle", "state.json", "\\", "*", " ",
            "...", "~",
        ] + Canaries.forbiddenPins

    /// Places where something is, by the root that they lie beneath.
    var places: [[String]] {
        let within = [
            "", "/volumes", "/volumes/bind", "/shared", "/shared/inner", "/shm", "/deep", "/deep/deeper", "/link",
        ]
        let sandboxes =
            (1...5).flatMap { sandbox in within.map { "s\(sandbox)\($0)" } } + ["link", "file", "link/deep"]
        let containers = ["c1", "c2"].flatMap { name in
            (within + ["/rootfs", "/rootfs/etc", "/userdata"]).map { name + $0 }
        }
        let pins =
            ["sample-1", "sample-2", "sample-left", "01234567-89ab-cdef-0123-456789abcdef"] + Canaries.forbiddenPins
        let disk = ["e1", "e2", "e3"].flatMap { name in within.map { name + $0 } }
        return [sandboxes, containers, pins, pins, pins, disk]
            + hierarchies.map { _ in ["g1", "g1/sub", "g2", "g1/tasks"] }
    }

    init(_ node: TestNode) {
        hierarchies = node.hierarchies
        containers = [("runc", "sample-a"), ("hooks", "sample-b")].map { stateRoot, id in
            SleepingContainer(
                runtime: "runc", stateRoot: "/mnt/node/\(stateRoot)", bundle: "/mnt/programs/\(id)", id: id,
                cgroup: "\(Canaries.cgroup)-prey")
        }
    }

    /// Makes what is missing.
    func restore() {
        for sandbox in 1...5 { fill("\(TestNode.sandboxes)/s\(sandbox)") }
        makeLink("\(TestNode.sandboxes)/link", to: "\(canary)/tree")
        makeFile("\(TestNode.sandboxes)/file")
        makeMount("\(TestNode.sandboxes)/s1/shm", type: "tmpfs", source: "prey")
        makeFile("\(TestNode.sandboxes)/s1/shm/file", "prey")
        makeMount("\(TestNode.sandboxes)/s2/volumes/bind", source: "\(canary)/tree")
        makeMount("\(TestNode.sandboxes)/s3/shared", source: "\(canary)/shared", flags: recursively)
        makeMount("\(TestNode.sandboxes)/s4", source: "\(canary)/tmpfs")

        for container in ["c1", "c2"] {
            let directory = "\(TestNode.containers)/\(container)"
            fill(directory)
            makeDirectory("\(directory)/rootfs")
            makeDirectory("\(directory)/userdata")
            makeFile("\(directory)/userdata/file", "prey")
        }
        makeMount(
            "\(TestNode.containers)/c1/rootfs", type: "overlay", source: "prey",
            options: "lowerdir=\(canary)/overlay/lower,upperdir=\(canary)/overlay/upper,workdir=/mnt/overlay-work")

        for (root, kind) in [(TestNode.netns, "net"), (TestNode.ipcns, "ipc"), (TestNode.utsns, "uts")] {
            for pin in ["sample-1", "sample-2", "01234567-89ab-cdef-0123-456789abcdef"] {
                makeFile("\(root)/\(pin)")
                makeMount("\(root)/\(pin)", source: "\(canary)/pins/\(kind)")
            }
            makeFile("\(root)/sample-left")
        }
        for entry in ["e1", "e2", "e3"] {
            let directory = "\(TestNode.ext4Sandboxes)/\(entry)"
            fill(directory)
            makeHardLink("\(directory)/hard", to: "/mnt/ext4/canary/file")
        }
        for hierarchy in hierarchies {
            for group in ["", "/g1", "/g1/sub", "/g2"] { makeDirectory("\(hierarchy)/\(TestNode.cgroup)\(group)") }
        }
    }

    private func fill(_ directory: String) {
        // Over a canary, this would be written into it.
        if isMountPoint(directory) { return }
        for part in ["", "/volumes", "/volumes/bind", "/volumes/empty", "/shared", "/shm", "/deep", "/deep/deeper"] {
            makeDirectory(directory + part)
        }
        for file in ["/file", "/volumes/file", "/deep/file", "/deep/deeper/file"] where !exists(directory + file) {
            makeFile(directory + file, "prey")
        }
        makeLink("\(directory)/link", to: "\(canary)/tree")
        makeLink("\(directory)/volumes/link", to: "\(canary)/tree/file")
        makeLink("\(directory)/deep/link", to: "../../../../canary/tree")
        makeFIFO("\(directory)/fifo")
    }

    /// Starts the containers that are gone; takes some 100 ms.
    func restoreContainers() throws {
        for container in containers {
            if container.isThere { container.remove() }
            try container.start()
        }
    }

    func remove() {
        for container in containers { container.remove() }
        _ = try? shell(
            """
            for group in /sys/fs/cgroup/\(Canaries.cgroup)-prey /sys/fs/cgroup/*/\(Canaries.cgroup)-prey; do
                [ ! -d $group ] || find $group -depth -type d -delete
            done
            """)
    }
}
