import HelperProtocol
import TestNode

/// What no request may touch: everything beneath /mnt/canary, entries of the namespace roots that the policy does not
/// name, and a container of another state root.
final class Canaries {
    static let top = "/mnt/canary"
    /// Inside namespace roots, and yet forbidden.
    static let forbiddenPins = ["admin", "sample-wrong-kind", "sample-not-empty", "sample-directory", "sample-link"]
    static let cgroup = "podreap-canary-\(TestNode.cgroup)"

    let container = SleepingContainer(
        runtime: "runc", stateRoot: "\(top)/runc", bundle: "\(top)/bundle", id: "outside", cgroup: cgroup)
    let process: Int32

    init() throws {
        try TestNode.shared()
        let top = Self.top
        try shell(
            """
            cd \(top)
            mkdir -p tree/deep/deeper overlay/lower/etc overlay/upper ../overlay-work tmpfs shared pins runc
            echo canary >tree/file; echo canary >tree/deep/file; echo canary >tree/deep/deeper/file
            echo secret >tree/private; chmod 600 tree/private; echo setuid >tree/setuid; chmod 4755 tree/setuid
            ln tree/file tree/hard; ln -s ../tree tree/link; mkfifo tree/fifo; mknod tree/null c 1 3; : >tree/empty
            echo canary >overlay/lower/etc/passwd; echo canary >overlay/upper/file
            mount -t tmpfs canary tmpfs; echo canary >tmpfs/file
            mount -t tmpfs canary shared; mount --make-shared shared; mkdir shared/inner; echo canary >shared/file
            mount -t tmpfs canary shared/inner; echo canary >shared/inner/file
            for kind in net ipc uts; do : >pins/$kind; unshare --$kind=pins/$kind true; done
            cd \(TestNode.netns)
            : >admin; mount --bind \(top)/pins/net admin
            : >sample-wrong-kind; mount --bind \(top)/pins/ipc sample-wrong-kind
            echo text >sample-not-empty; mkdir sample-directory; ln -s \(top)/pins/net sample-link
            cd \(TestNode.ipcns)
            : >admin; mount --bind \(top)/pins/ipc admin; : >sample-wrong-kind; mount --bind \(top)/pins/net sample-wrong-kind
            mkdir -p /mnt/ext4/canary; echo canary >/mnt/ext4/canary/file
            """)
        process = try container.start()
    }

    func remove() {
        container.remove()
        _ = try? shell(
            "for group in /sys/fs/cgroup/\(Self.cgroup) /sys/fs/cgroup/*/\(Self.cgroup); do [ ! -d $group ] || find $group -depth -type d -delete; done"
        )
    }

    /// With `inside`, everything beneath the roots as well.
    func snapshot(inside: Bool) -> Snapshot {
        let pins = [TestNode.netns, TestNode.ipcns].flatMap { root in Self.forbiddenPins.map { "\(root)/\($0)" } }
        let roots = ["/mnt/node", "/mnt/ext4"]
        return Snapshot(
            trees: [Self.top, "/mnt/ext4/canary", "/etc/podreap", "/mnt/libexec"] + (inside ? roots : pins),
            mounts: { point in
                inside || pins.contains { $0 == point }
                    || !roots.contains { point.hasPrefix($0 + "/") && !point.hasPrefix("/mnt/ext4/canary") }
            }, process: process)
    }

    /// Identities of canaries, for requests to aim at.
    var mounts: [MountIdentity] {
        ["\(Self.top)/tmpfs", "\(Self.top)/shared", "\(Self.top)/pins/net", "\(TestNode.netns)/admin"].compactMap {
            path in
            status(of: path, follow: false).map { MountIdentity(id: $0.mountID, unique: $0.mountIDIsUnique) }
        }
    }

    var nodes: [NodeIdentity] {
        ["\(Self.top)/tree", "\(Self.top)/tree/deep", "\(Self.top)/pins/net", "\(Self.top)/runc/outside"].compactMap {
            path in
            status(of: path, follow: false).map { NodeIdentity(device: $0.device, inode: $0.inode, birth: $0.birth) }
        }
    }
}
