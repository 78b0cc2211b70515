import TestNode

/// Small containers that sleep, made by a runtime itself.
struct SleepingContainer {
    let runtime: String
    let stateRoot: String
    let bundle: String
    let id: String
    let cgroup: String

    /// Starts it, or starts it again where nothing of it is left; its init's pid.
    @discardableResult
    func start() throws -> Int32 {
        let config = """
            {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hostname": "\(id)",
             "process": {"user": {"uid": 0, "gid": 0}, "args": ["/busybox", "sleep", "100000"], "cwd": "/",
                         "noNewPrivileges": true, "capabilities": {}},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
             "linux": {"cgroupsPath": "/\(cgroup)/\(id)", "namespaces": [{"type": "pid"}, {"type": "mount"},
                       {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}}
            """
        let script = """
            mkdir -p \(bundle)/rootfs/proc
            [ -e \(bundle)/rootfs/busybox ] || cp "$(command -v busybox)" \(bundle)/rootfs/busybox
            cat >\(bundle)/config.json <<'END'
            \(config)
            END
            \(runtime) --root \(stateRoot) run --detach --bundle \(bundle) --pid-file \(bundle)/pid \(id) >\(bundle)/log 2>&1
            cat \(bundle)/pid
            """
        let output = try shell(script, seconds: 30)
        guard let pid = output.split(separator: "\n").last.flatMap({ Int32($0) }) else {
            throw ProgramFailure(description: "\(id) did not start: \(output)")
        }
        return pid
    }

    var isThere: Bool { exists("\(stateRoot)/\(id)") }

    /// Kills it and lets the runtime forget it.
    func remove() { _ = try? shell("\(runtime) --root \(stateRoot) delete --force \(id)", seconds: 30) }
}
