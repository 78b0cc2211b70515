/// A container of a real runtime, made and ended without the helper.
public final class TestContainer: Sendable {
    public let id: String
    public let runtime: String
    public let stateRoot: String
    public let bundle: String

    /// Runs a container that sleeps, with a cgroup of its own; returns when it runs.
    ///
    /// - Parameter poststop: A command of the node's that the bundle has as poststop hook.
    public init(_ id: String, runtime: String = "runc", stateRoot: String, poststop: String? = nil) throws {
        try TestNode.shared()
        self.id = id
        self.runtime = runtime
        self.stateRoot = stateRoot
        bundle = "\(TestNode.containers)/\(id)"
        let hooks =
            poststop.map { #", "hooks": {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "\#($0)"]}]}"# } ?? ""
        let config = """
            {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hostname": "test",
             "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/busybox", "sleep", "1000"], "env": ["PATH=/bin"], "cwd": "/"},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
             "linux": {"cgroupsPath": "/\(TestNode.cgroup)/\(id)",
                       "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}\(hooks)}
            """
        try shell(
            """
            mkdir -p \(bundle)/rootfs/bin \(bundle)/rootfs/proc \(bundle)/rootfs/dev; cp /bin/busybox \(bundle)/rootfs/bin/
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
        let view = runtime == "crun" ? "umount -l /sys/fs/cgroup/unified || true; " : ""
        try shell("exec unshare --mount --propagation private -- sh -euc '\(view)\(command)'")
    }

    /// Ends it if it is still there.
    public func destroy() {
        _ = try? inRuntimesView("\(runtime) --root \(stateRoot) delete --force \(id)")
        _ = try? shell("rm -rf \(bundle) \(stateRoot)/\(id)")
    }

    deinit { destroy() }

    /// A helper in whose view of the node the runtime works.
    public func helper() throws -> TestHelper {
        var start = TestHelper.start
        if runtime == "crun", Entry.exists("/sys/fs/cgroup/unified") { start.binds = [(nil, "/sys/fs/cgroup/unified")] }
        return try TestHelper(start)
    }
}
