/// A container of a real runtime, made and ended without the helper.
public final class TestContainer: Sendable {
    public let id: String
    public let runtime: String
    public let stateRoot: String
    public let bundle: String
    /// Whether it sees the node with cgroup version 2 alone.
    public let seesVersion2: Bool

    /// Runs a container that sleeps, with a cgroup of its own; returns when it runs.
    ///
    /// - Parameters:
    ///   - poststop: A command of the node's that the bundle has as poststop hook.
    ///   - command: What it runs, beside busybox.
    ///   - programs: Programs of the node's that it has in `/bin`.
    ///   - cgroup: Its cgroup's name beneath `TestNode.cgroup`; nil: its id.
    ///   - version2: Whether the runtime sees the node with cgroup version 2 alone.
    public init(
        _ id: String, runtime: String = "runc", stateRoot: String, poststop: String? = nil,
        command: [String] = ["/bin/busybox", "sleep", "1000"], namespaces: [String] = ["pid", "mount", "ipc", "uts"],
        cgroup: String? = nil, programs: [String] = [], version2: Bool = false
    ) throws {
        try TestNode.shared()
        self.id = id
        self.runtime = runtime
        self.stateRoot = stateRoot
        seesVersion2 = version2
        bundle = "\(TestNode.containers)/\(id)"
        let hooks =
            poststop.map { #", "hooks": {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "\#($0)"]}]}"# } ?? ""
        let arguments = command.map { #""\#($0.replacing("\\", with: #"\\"#).replacing("\"", with: #"\""#))""# }
            .joined(separator: ", ")
        let config = """
            {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hostname": "test",
             "process": {"user": {"uid": 0, "gid": 0}, "args": [\(arguments)], "env": ["PATH=/bin"], "cwd": "/"},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
             "linux": {"cgroupsPath": "/\(TestNode.cgroup)/\(cgroup ?? id)",
                       "namespaces": [\(namespaces.map { #"{"type": "\#($0)"}"# }.joined(separator: ", "))]}\(hooks)}
            """
        try shell(
            """
            mkdir -p \(bundle)/rootfs/bin \(bundle)/rootfs/proc \(bundle)/rootfs/dev; 
            cp /bin/busybox \(programs.joined(separator: " ")) \(bundle)/rootfs/bin/
            cat >\(bundle)/config.json <<'END'
            \(config)
            END
            cd \(bundle)
            """)
        try inRuntimesView(
            "\(runtime) --root \(stateRoot) run -d --bundle \(bundle) \(id) </dev/null >/dev/null 2>\(bundle)/log || { cat \(bundle)/log; exit 1; }"
        )
    }

    /// crun 1.8 takes a node with cgroup v1 and v2 hierarchies for one with v2 only.
    private func inRuntimesView(_ command: String) throws {
        var view = runtime == "crun" ? "umount -l /sys/fs/cgroup/unified || true; " : ""
        if seesVersion2 { view = Self.version2.map { "mount --bind \($0.source!) \($0.target); " }.joined() }
        try shell("exec unshare --mount --propagation private -- sh -euc '\(view)\(command)'")
    }

    /// What makes the node one with cgroup version 2 alone, in a mount namespace.
    public static var version2: [(source: String?, target: String)] {
        Entry.exists("/sys/fs/cgroup/unified") ? [("/sys/fs/cgroup/unified", "/sys/fs/cgroup")] : []
    }

    /// Ends it if it is still there.
    public func destroy() {
        _ = try? inRuntimesView("\(runtime) --root \(stateRoot) delete --force \(id)")
        _ = try? shell("rm -rf \(bundle) \(stateRoot)/\(id)")
    }

    deinit { destroy() }

    /// A helper in whose view of the node the runtime works.
    public func helper(policy: String? = nil) throws -> TestHelper {
        var start = TestHelper.start
        if seesVersion2 {
            start.binds = Self.version2
        } else if runtime == "crun", Entry.exists("/sys/fs/cgroup/unified") {
            start.binds = [(nil, "/sys/fs/cgroup/unified")]
        }
        return try TestHelper(start, policy: policy)
    }
}
