internal import Foundation
internal import SamplePod
internal import TestNode

/// A container of a plain pod, as a test describes it.
public struct PlainContainer: Sendable {
    /// What its init executes, for busybox's shell.
    public var script = "exec sleep 100000"
    /// The namespaces of its own, by their names in a runtime's configuration.
    public var namespaces = ["pid", "mount", "ipc", "uts"]
    /// What its processes' environment begins with, as `NAME=VALUE`.
    public var environment: [String] = []
    /// Its cgroup beneath the node's in every hierarchy; nil: named like the container.
    public var cgroup: String?
    /// Whether its root filesystem is a mount of its own.
    public var isOverlay = true
    /// A program that the runtime runs while it creates the container, with its arguments.
    public var createHook: [String]?

    public init() {}

    public init(script: String) { self.script = script }
}

/// Pods with ids that a test chooses, and only what it makes: no infra container, and no two containers alike.
extension PodNode {
    /// A sandbox's directory with its shm.
    public func sandbox(_ id: String) throws {
        try shell(
            "mkdir -p \(directory(ofSandbox: id))/shm; mount -t tmpfs -o size=1m shm \(directory(ofSandbox: id))/shm")
    }

    public func directory(ofSandbox id: String) -> String { "\(sample.sandboxRoot)/\(id)" }
    public func directory(of container: String) -> String { "\(sample.containerRoot)/\(container)" }
    public func pin(ofSandbox id: String) -> String { "\(sample.netnsRoot)/sample-\(id)" }

    /// Pins a network namespace with a pair of virtual links in it.
    public func pinNamespace(ofSandbox id: String) throws {
        try shell(
            ": >\(pin(ofSandbox: id)); unshare --net=\(pin(ofSandbox: id)) ip link add eth0 type veth peer name peer0")
    }

    /// The container's cgroup in every hierarchy where it is, as absolute directories.
    public func cgroups(of container: String) -> [String] {
        sample.cgroupRoots.map { "\($0)/\(container)" }.filter { FileManager.default.fileExists(atPath: $0) }
    }

    /// Makes a container's directory with all that a runtime needs.
    public func bundle(_ id: String, _ container: PlainContainer = PlainContainer()) throws {
        addEnding(Self.sweep(sample.cgroupRoots))
        let (directory, image) = (directory(of: id), "\(sample.base)/image")
        let rootfs =
            container.isOverlay
            ? "mount -t overlay -o lowerdir=\(image),upperdir=\(directory)/upper,workdir=\(directory)/work overlay \(directory)/rootfs"
            : "cp -a \(image)/. \(directory)/rootfs/"
        try shell("mkdir -p \(directory)/rootfs \(directory)/upper \(directory)/work; \(rootfs)")
        try Data(container.configuration(cgroup: "\(SampleNode.cgroup)/\(container.cgroup ?? id)").utf8)
            .write(to: URL(filePath: "\(directory)/config.json"))
    }

    /// Makes a container and starts it; its init.
    @discardableResult
    public func run(_ id: String, _ container: PlainContainer = PlainContainer()) throws -> Int32 {
        try bundle(id, container)
        return try start(bundle: id)
    }

    /// Starts a container whose directory is made; its init.
    @discardableResult
    public func start(bundle id: String) throws -> Int32 {
        let text = try shell(
            """
            cd \(directory(of: id))
            runc --root \(sample.runtimeRoot) run -d --bundle . --pid-file pid \(id) </dev/null >/dev/null 2>log || { cat log; exit 1; }
            cat pid
            """)
        guard let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw PodNodeFailure(text) }
        return pid
    }

    /// The document that `register` takes, with the namespace where one is pinned, and the pod's own cgroups.
    public func document(
        _ sandbox: String, _ containers: [String], runtime: String = "runc", cgroups: [String] = []
    ) throws -> String {
        var record: [String: Any] = [
            "id": sandbox, "runtime": runtime, "directory": directory(ofSandbox: sandbox),
            "shm": "\(directory(ofSandbox: sandbox))/shm",
            "metadata": ["name": sandbox, "namespace": "default", "uid": "uid-\(sandbox)", "attempt": 0],
        ]
        if FileManager.default.fileExists(atPath: pin(ofSandbox: sandbox)) {
            record["namespaces"] = ["network": pin(ofSandbox: sandbox)]
        }
        if !cgroups.isEmpty { record["cgroups"] = cgroups }
        let members = containers.map { id -> [String: Any] in
            ["id": id, "metadata": ["name": "n-\(id)", "attempt": 0], "directories": [directory(of: id)]]
        }
        let document: [String: Any] = ["version": 1, "sandbox": record, "containers": members]
        return String(
            decoding: try JSONSerialization.data(withJSONObject: document, options: .sortedKeys), as: UTF8.self)
    }

    /// Registers a plain pod with the command line, as the unprivileged user.
    @discardableResult
    public func register(_ sandbox: String, _ containers: [String], runtime: String = "runc") throws -> PodreapResult {
        let document = try document(sandbox, containers, runtime: runtime)
        return try podreap(["register", try write(document, as: "\(sandbox).json")])
    }

    /// What is left of a plain pod, looked at from outside, one line for each thing.
    public func leftovers(of sandbox: String, _ containers: [String]) throws -> [String] {
        let files = FileManager.default
        var found: [String] = []
        for container in containers {
            for cgroup in cgroups(of: container) {
                let members = (try? String(contentsOfFile: "\(cgroup)/cgroup.procs", encoding: .utf8)) ?? ""
                found += members.split(separator: "\n").map { "process \($0) in \(cgroup)" } + ["cgroup \(cgroup)"]
            }
            let state = "\(sample.runtimeRoot)/\(container)"
            found += [directory(of: container), state].filter(files.fileExists).map { "directory \($0)" }
        }
        found += [directory(ofSandbox: sandbox), pin(ofSandbox: sandbox)].filter(files.fileExists).map { "entry \($0)" }
        let places = [directory(ofSandbox: sandbox), pin(ofSandbox: sandbox)] + containers.map(directory(of:))
        return found
            + (try mountPoints()).filter { point in
                places.contains { point == $0 || point.hasPrefix("\($0)/") }
            }.map { "mount \($0)" }
    }

    /// Where something is mounted on this node.
    public func mountPoints() throws -> [String] {
        // In one read(2): Foundation reads in pieces, between which lines get lost.
        try shell("dd if=/proc/self/mountinfo bs=4M count=1 2>/dev/null").split(separator: "\n").map {
            String($0.split(separator: " ")[4])
        }
    }

    /// Ends what runs in the node's cgroups, frozen or not, and removes them.
    private static func sweep(_ roots: [String]) -> String {
        """
        for n in $(seq 50); do
            find \(roots.joined(separator: " ")) -name freezer.state 2>/dev/null | while read f; do echo THAWED >$f || true; done
            find \(roots.joined(separator: " ")) -name cgroup.freeze 2>/dev/null | while read f; do echo 0 >$f || true; done
            pids=$(find \(roots.joined(separator: " ")) -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
            [ -n "$pids" ] || break
            kill -9 $pids 2>/dev/null || true
            sleep 0.1
        done
        find \(roots.joined(separator: " ")) -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
        """
    }
}

extension PlainContainer {
    fileprivate func configuration(cgroup: String) throws -> String {
        var configuration: [String: Any] = [
            "ociVersion": "1.0.2",
            "process": [
                "user": ["uid": 0, "gid": 0], "args": ["/bin/sh", "-c", script], "env": environment + ["PATH=/bin"],
                "cwd": "/",
                "noNewPrivileges": true, "capabilities": [String: String](),
            ],
            "root": ["path": "rootfs"],
            "mounts": [
                ["destination": "/proc", "type": "proc", "source": "proc"],
                ["destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755", "size=64k"]],
            ],
            "linux": ["cgroupsPath": cgroup, "namespaces": namespaces.map { ["type": $0] }],
        ]
        if let createHook {
            configuration["hooks"] = ["createRuntime": [["path": createHook[0], "args": createHook]]]
        }
        return String(decoding: try JSONSerialization.data(withJSONObject: configuration), as: UTF8.self)
    }
}
