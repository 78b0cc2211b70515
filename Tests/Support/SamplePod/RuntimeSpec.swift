/// The part of an OCI runtime's config.json that a sample container needs. No rlimits and no oom_score_adj: they take
/// CAP_SYS_RESOURCE, which a build machine may not have.
struct RuntimeSpec: Encodable {
    struct User: Encodable { var uid = 0, gid = 0 }

    struct Process: Encodable {
        var user = User()
        var args: [String]
        var env = ["PATH=/bin"]
        var cwd = "/"
        var noNewPrivileges = true
        var capabilities: [String: [String]] = [:]
    }

    struct Root: Encodable { var path = "rootfs" }

    struct Mount: Encodable {
        var destination, type, source: String
        var options: [String]
    }

    struct Namespace: Encodable {
        var type: String
        var path: String?
    }

    struct Linux: Encodable {
        var cgroupsPath: String
        var namespaces: [Namespace]
    }

    var ociVersion = "1.0.2"
    var process: Process
    var root = Root()
    var hostname: String?
    var mounts: [Mount]
    var annotations: [String: String]
    var linux: Linux

    init(
        script: String, hostname: String?, shm: String, cgroup: String, annotations: [String: String],
        namespaces: [Namespace]
    ) {
        process = Process(args: ["/bin/sh", "-c", script])
        self.hostname = hostname
        self.annotations = annotations
        mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
            Mount(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=64k"]),
            Mount(destination: "/dev/shm", type: "bind", source: shm, options: ["rbind", "rprivate", "rw"]),
        ]
        linux = Linux(cgroupsPath: cgroup, namespaces: namespaces)
    }
}
