internal import Foundation

/// A node for tests: roots on a tmpfs and on the machine's own filesystem, an installed helper with its capabilities,
/// and its policy at the fixed place. Everything is in the test's own mount namespace but the directory on the
/// machine's filesystem and cgroups, which go when the test ends.
///
/// Beneath `/mnt`: `node/sandboxes`, `node/containers`, `node/netns`, `node/ipcns`, `node/utsns`, `node/runc`,
/// `node/crun`, `node/hooks` (state roots), `ext4/sandboxes`, `canary`, `libexec/podreap-helper`.
public struct TestNode: Sendable {
    /// The unprivileged user that may start helpers, and the group of the same number.
    public static let caller: UInt32 = 61234
    public static let helper = "/mnt/libexec/podreap-helper"
    public static let sandboxes = "/mnt/node/sandboxes"
    public static let containers = "/mnt/node/containers"
    public static let netns = "/mnt/node/netns"
    public static let ipcns = "/mnt/node/ipcns"
    public static let utsns = "/mnt/node/utsns"
    /// Sandboxes on the machine's own filesystem (ext4, where inodes are used again and chattr(1) works).
    public static let ext4Sandboxes = "/mnt/ext4/sandboxes"
    /// The name of the cgroup, in each hierarchy, beneath which tests make theirs.
    public static let cgroup = "podreap-test-\(currentProcess())"
    /// The capabilities of the helper's file, as setcap(8) takes them.
    public static let capabilities =
        "cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p"

    /// The mounted cgroup hierarchies' directories.
    public let hierarchies: [String]
    /// The text of `/etc/podreap/helper.conf`.
    public let policy: String

    /// Makes the node, once for the process. Throws what is missing.
    @discardableResult
    public static func shared() throws -> TestNode { try made.get() }

    private static let made = Result { try TestNode() }

    private init() throws {
        guard currentUser() == 0, try Self.hasMountNamespaceOfItsOwn() else {
            throw ProgramFailure(
                description:
                    "These tests mount: run them as root with unshare --mount --propagation private, as make test does")
        }
        let helper = try Self.helperToInstall()
        if Cgroups.wantsVersion2Alone, !Cgroups.isVersion2Alone { try Cgroups.mountVersion2Alone() }
        hierarchies = try Cgroups.hierarchies()
        policy = Self.defaultPolicy(hierarchies)
        try Self.cover()
        try shell(
            """
            mkdir -p /mnt/node /mnt/canary /mnt/ext4 /mnt/programs /mnt/policies
            cd /mnt/node && mkdir sandboxes containers netns ipcns utsns userns runc crun hooks && cd /
            cat >/etc/podreap/helper.conf <<'END'
            \(policy.split(separator: "\n").joined(separator: "\n"))
            END
            chown 0:\(Self.caller) /etc/podreap/helper.conf
            chmod 640 /etc/podreap/helper.conf
            rm -rf '\(Self.disk)' && mkdir -p '\(Self.disk)/sandboxes' && mount --bind '\(Self.disk)' /mnt/ext4
            """)
        try Self.install(from: helper, to: Self.helper)
        atExit { TestNode.cleanUp() }
    }

    /// Covers `/mnt` with a tmpfs and `/etc` with an overlay, in this process's mount namespace.
    public static func cover() throws {
        try shell(
            """
            mount -t tmpfs -o mode=755 podreap-test /mnt
            mkdir -p /mnt/etc/upper /mnt/etc/work /mnt/libexec
            mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc/upper,workdir=/mnt/etc/work podreap-test /etc
            mkdir -p /etc/podreap
            """)
    }

    /// Whether an ancestor has another mount namespace than this process.
    public static func hasMountNamespaceOfItsOwn() throws -> Bool {
        let own = try linkTarget("/proc/self/ns/mnt")
        var ancestor = NodeProcess(currentProcess())
        while let parent = try ancestor.status()["PPid"].flatMap({ Int32($0) }), parent > 0 {
            ancestor = NodeProcess(parent)
            // Not every process may be asked, not even by root.
            if let namespace = try? ancestor.link("ns/mnt"), namespace != own { return true }
        }
        return false
    }

    /// Copies a helper to where only root can replace it, with these capabilities.
    public static func install(from helper: String = helper, to path: String, capabilities: String = capabilities)
        throws
    {
        try shell(
            "cp '\(helper)' '\(path)' && chown 0:\(caller) '\(path)' && chmod 750 '\(path)' && setcap '\(capabilities)' '\(path)'"
        )
    }

    private static let disk = "/var/tmp/podreap-test-\(currentProcess())"

    private static func helperToInstall() throws -> String {
        let named = ProcessInfo.processInfo.environment["PODREAP_HELPER"]
        let path =
            named
            ?? URL(filePath: #filePath).appending(path: "../../../../.build-helper/podreap-helper").standardized.path()
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw ProgramFailure(description: "\(path) is missing: build it with make helper")
        }
        return path
    }

    /// The policy's lines; their order is the roots' and runtimes' numbering (see `Root` and `Runtime`).
    private static func defaultPolicy(_ hierarchies: [String]) -> String {
        let lines =
            [
                "caller = \(caller)", "sandbox-root = \(sandboxes)", "container-root = \(containers) depth 1-2",
                "netns-root = \(netns) names sample-* uuid", "ipcns-root = \(ipcns) names sample-* uuid",
                "utsns-root = \(utsns) names sample-* uuid", "sandbox-root = \(ext4Sandboxes) depth 1-2",
            ]
            + hierarchies.map { "cgroup-root = \($0)/\(cgroup) depth 1-2" } + [
                "userns-root = /mnt/node/userns names sample-* uuid",
                "runtime = runc \(runtimePath("runc")) /mnt/node/runc",
                "runtime = crun \(runtimePath("crun")) /mnt/node/crun",
                "runtime = runc-hooks \(runtimePath("runc")) /mnt/node/hooks hooks",
            ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func runtimePath(_ name: String) -> String {
        ["/usr/sbin", "/usr/bin"].map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
            ?? "/usr/bin/\(name)"
    }

    private static func cleanUp() {
        _ = try? shell(
            """
            umount -l /mnt/ext4 || true
            chattr -R -f -i -a '\(disk)' || true
            rm -rf '\(disk)'
            for group in /sys/fs/cgroup/\(cgroup) /sys/fs/cgroup/*/\(cgroup); do
                [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + || true
            done
            """)
    }

    /// Roots of the default policy by number.
    public enum Root {
        public static let sandboxes: UInt8 = 0
        public static let containers: UInt8 = 1
        public static let netns: UInt8 = 2
        public static let ipcns: UInt8 = 3
        public static let utsns: UInt8 = 4
        public static let ext4: UInt8 = 5
        /// The first of the cgroup roots, which are in the order of `TestNode.hierarchies`.
        public static let cgroups: UInt8 = 6
        /// The last.
        public static func userns() throws -> UInt8 { cgroups + UInt8(try TestNode.shared().hierarchies.count) }
    }

    /// Runtimes of the default policy by number.
    public enum Runtime {
        public static let runc: UInt8 = 0
        public static let crun: UInt8 = 1
        public static let runcWithHooks: UInt8 = 2
    }
}
