import Foundation
import SandboxRemoval
import TestNode
import TestPods

/// A containerd of its own with real pods, in mount, network and PID namespaces of its own. It ends with all that it has
/// made when `end` is called.
final class LivingRuntime {
    struct Pod {
        let id: String
        let containers: [String]
        var workload: String { containers[0] }
    }

    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    let directory: String
    let socket: String
    /// The pods' parent cgroup in each hierarchy.
    let cgroup: String
    private let unshare: Program
    private let keeper: Int32
    private var runs = 0

    init() throws {
        try TestNode.shared()
        let name = UUID().uuidString.prefix(8).lowercased()
        directory = "/mnt/living-\(name)"
        cgroup = "/podreap-living-\(name)"
        try shell("mkdir \(directory)")
        var start = ProgramStart(
            "/usr/bin/unshare",
            ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "--"]
                // The shell is the first process, and reaps what the others leave.
                + [
                    "/bin/bash", "-c",
                    "'\(Self.peers)/containerd-start' \(directory)/containerd; while :; do sleep 1000 & wait $!; done",
                ])
        start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        start.input = 0
        start.output = .read
        unshare = try Program(start)
        socket = try unshare.readLine(seconds: 60).trimmingCharacters(in: .whitespacesAndNewlines)
        guard socket.hasSuffix("containerd.sock") else {
            throw PodNodeFailure("containerd does not start: \(socket)")
        }
        guard let pid = Int32(try shell("pgrep -P \(unshare.pid)").trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            throw PodNodeFailure("unshare has no child")
        }
        keeper = pid
    }

    private static let peers = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Support/Peers"
    ).standardized.path()

    /// Kills all processes of its PID namespace, and removes the cgroups. What is thawed ends, and containerd removes
    /// its cgroup, while the others are still looked for.
    func end() throws {
        try shell(
            """
            for c in /sys/fs/cgroup/*\(cgroup) /sys/fs/cgroup\(cgroup); do [ -d $c ] || continue
                find $c -name freezer.state -exec sh -c 'echo THAWED >$1' sh {} ';' || true
                find $c -name cgroup.freeze -exec sh -c 'echo 0 >$1' sh {} ';' || true
            done
            kill -KILL \(keeper)
            """)
        _ = try unshare.wait(seconds: 20)
        try shell(
            """
            for c in /sys/fs/cgroup/*\(cgroup) /sys/fs/cgroup\(cgroup); do [ -d $c ] || continue
                for i in $(seq 100); do
                    find $c -depth -type d -exec rmdir {} + 2>/dev/null && break
                    sleep 0.05
                done
            done
            rm -rf \(directory)
            """)
    }

    // MARK: Programs among its pods

    /// Runs a script as root in its namespaces.
    @discardableResult
    func run(_ script: String, seconds: Double = 60) throws -> Result {
        let program = try start(script)
        guard case .exited(let status)? = try program.wait(seconds: seconds) else {
            throw PodNodeFailure("it does not end within \(seconds) s: \(script)")
        }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(filePath: "\(directory)/\(name)-\(runs)")), as: UTF8.self)
        }
        return Result(status: status, output: try text("output"), errors: try text("errors"))
    }

    /// The same, and does not wait.
    func start(_ script: String) throws -> Program {
        runs += 1
        let text = "\(directory)/script-\(runs)"
        try Data(script.utf8).write(to: URL(filePath: text))
        var start = ProgramStart(
            "/usr/bin/nsenter",
            ["-t", "\(keeper)", "-m", "-n", "-p", "--", "/bin/sh", "-c"]
                + [". \(text) >\(directory)/output-\(runs) 2>\(directory)/errors-\(runs)"])
        start.environment = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "NO_COLOR=1", "PODREAP_PEER_CGROUP=\(cgroup)",
            "PODREAP_REGISTRY=/mnt/none/registry.sqlite",
        ]
        start.input = 0
        return try Program(start)
    }

    /// The same for a script that has to succeed; its output, without the last newline.
    @discardableResult
    func sh(_ script: String) throws -> String {
        let result = try run(script)
        guard result.status == 0 else {
            throw PodNodeFailure("\(result.status): \(script)\n\(result.output)\n\(result.errors)")
        }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: Pods

    /// A pod with one container, which ends only by KILL.
    func pod(_ name: String, _ command: String = "while :; do sleep 1000; done") throws -> Pod {
        let ids = try sh("'\(Self.peers)/cri.py' \(socket) pod \(name) --container app /bin/sh -c '\(command)'")
            .split(separator: "\n").map(String.init)
        return Pod(id: ids[0], containers: Array(ids.dropFirst()))
    }

    /// Asks containerd to stop a pod; what it answers if it fails.
    func stop(_ pod: Pod, seconds: Double = 4) throws -> String? { try ask("stop", pod, seconds) }

    func remove(_ pod: Pod, seconds: Double = 20) throws -> String? { try ask("remove", pod, seconds) }

    private func ask(_ verb: String, _ pod: Pod, _ seconds: Double) throws -> String? {
        let result = try run("'\(Self.peers)/cri.py' \(socket) \(verb) \(pod.id) \(seconds)")
        return result.status == 0 ? nil : result.errors
    }

    /// The same as `stop`, and does not wait.
    func startStop(_ pod: Pod, seconds: Double) throws -> Program {
        try start("exec '\(Self.peers)/cri.py' \(socket) stop \(pod.id) \(seconds)")
    }

    /// From here on its CNI plugin runs this script instead of taking a network away.
    func breakNetwork(_ script: String) throws {
        let plugin = "\(directory)/bridge"
        try mendNetwork()
        try sh("[ -e \(plugin).real ] || cp /usr/lib/cni/bridge \(plugin).real")
        try sh(
            """
            cat >\(plugin).new <<'END'
            #!/bin/sh
            [ "$CNI_COMMAND" = DEL ] || exec \(plugin).real
            \(script)
            END
            chmod +x \(plugin).new; mv \(plugin).new \(plugin); mount --bind \(plugin) /usr/lib/cni/bridge
            """)
    }

    func mendNetwork() throws { try sh("while umount /usr/lib/cni/bridge 2>/dev/null; do :; done") }

    /// Whether containerd lists the pod.
    func lists(_ pod: Pod) throws -> Bool {
        try sh("'\(Self.peers)/cri.py' \(socket) list | grep -ac \(pod.id) || true") != "0"
    }

    func shim(of pod: Pod) throws -> Int32 { try pid("pgrep -f -- '-id \(pod.id) '") }

    /// The first process of a container.
    func pid(of container: String) throws -> Int32 { try pid("cat \(Self.bundles)/\(container)/init.pid") }

    var containerd: Int32 { get throws { try pid("cat \(directory)/containerd/pid") } }

    func pid(_ script: String) throws -> Int32 {
        let text = try sh(script)
        guard let pid = Int32(text) else { throw PodNodeFailure("no pid: \(text)") }
        return pid
    }

    static let bundles = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
    static let states = "/run/containerd/runc/k8s.io"

    // MARK: podreap

    func podreap(_ arguments: String, seconds: Double = 60) throws -> Result {
        try run("exec '\(try TestPrograms.built("podreap"))' \(arguments)", seconds: seconds)
    }

    func explain(_ pod: String) throws -> (status: Int32, explanation: Explanation) {
        let result = try podreap("explain --json \(pod)")
        guard let explanation = try? JSONDecoder().decode(Explanation.self, from: Data(result.output.utf8)) else {
            throw PodNodeFailure("explain \(pod): \(result)")
        }
        return (result.status, explanation)
    }

    /// Follows a remedy as it stands.
    func follow(_ remedy: String) throws { try sh(remedy) }
}

/// Calls `body` with a containerd of its own.
func withLivingRuntime(_ body: (LivingRuntime) throws -> Void) throws {
    let runtime = try LivingRuntime()
    let result = Swift.Result { try body(runtime) }
    try runtime.end()
    try result.get()
}
