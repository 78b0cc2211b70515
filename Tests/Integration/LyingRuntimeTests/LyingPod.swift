import Foundation
import SamplePod
import SandboxRegistry
import SandboxRemoval
import TestNode
import TestPods

/// A pod of one container, "run" by a runtime that lies: two real processes in a cgroup, the init and another, a directory with
/// a mount in it, a shm, and a runtime's state.
final class LyingPod {
    static let runtimeRoot = "/mnt/liar"

    let id = "liar-\(UInt32.random(in: 0...UInt32.max))"
    let orchestrator: Orchestrator
    let pids: [Int32]
    let cgroup: String
    var state: String { "\(Self.runtimeRoot)/\(id)" }
    let directory: String
    let sandbox: String

    init(_ node: PodNode) async throws {
        // Under crun's filter, by its name: what a static program of the C library needs is in that.
        try shell(
            """
            mkdir -p /mnt/programs/as-liar \(Self.runtimeRoot); chmod 711 \(Self.runtimeRoot)
            cp \(try Self.program.get()) /mnt/programs/as-liar/crun
            """)
        try node.setPolicy(node.policy + "runtime = liar /mnt/programs/as-liar/crun \(Self.runtimeRoot)\n")
        directory = "\(node.sample.containerRoot)/\(id)"
        sandbox = "\(node.sample.sandboxRoot)/\(id)"
        cgroup = "\(node.sample.cgroupRoots[0])/\(id)"
        let (directory, sandbox, state, cgroup) = (directory, sandbox, "\(Self.runtimeRoot)/\(id)", cgroup)
        // Not children of this process: the machine's init reaps them.
        let output = try shell(
            """
            mkdir -p \(directory)/rootfs \(sandbox)/shm \(state) \(cgroup)
            mount -t tmpfs liar \(directory)/rootfs; echo data >\(directory)/rootfs/file
            mount -t tmpfs shm \(sandbox)/shm
            for i in 1 2; do
                setsid sh -c 'echo $$ >"$1"/cgroup.procs; echo $$ >>"$2"/pids; exec sleep 2147483647' sh \(cgroup) \(state) \
                    </dev/null >/dev/null 2>&1 &
                while [ "$(wc -l <\(state)/pids 2>/dev/null || echo 0)" -lt $i ]; do sleep 0.01; done
            done
            cat \(state)/pids
            # As runc writes it; the helper reads who is whose, and does not ask the runtime.
            echo '{"id":"\(id)","init_process_pid":'"$(head -n 1 \(state)/pids)"',"init_process_start":'"$(cut -d ' ' -f 22 \
                /proc/$(head -n 1 \(state)/pids)/stat)"',"created":"2026-01-01T00:00:00Z","config":{},"rootless":false,"cgroup_paths":\
            {"pids":"\(cgroup)"},"namespace_paths":{},"external_descriptors":[]}' | tr -d '\n' >\(state)/state.json
            """)
        pids = output.split(separator: "\n").compactMap { Int32($0) }
        orchestrator = try node.orchestrator()
        let document = """
            {"version": 1,
             "sandbox": {"id": "\(id)", "metadata": {"name": "\(id)", "namespace": "n", "uid": "u", "attempt": 0},
                         "runtime": "liar", "directory": "\(sandbox)", "shm": "\(sandbox)/shm", "namespaces": {},
                         "processLabel": "", "mountLabel": "", "labels": {}},
             "containers": [{"id": "\(id)", "metadata": {"name": "app", "attempt": 0}, "directories": ["\(directory)"],
                             "cgroups": ["\(cgroup)"], "labels": {}}]}
            """
        _ = try await orchestrator.register(RegistrationDocument(json: Data(document.utf8)))
    }

    private static let program = Result {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/liar.c").path()
        return try TestPrograms.compile(source, "-static")
    }

    /// Ends what a failed test has left.
    func clear() {
        _ = try? shell(
            """
            for pid in \(pids.map(String.init).joined(separator: " ")); do kill -KILL $pid 2>/dev/null || true; done
            while [ -d \(cgroup) ] && ! rmdir \(cgroup) 2>/dev/null; do sleep 0.01; done
            for mount in \(directory)/rootfs \(sandbox)/shm; do umount -l $mount 2>/dev/null || true; done
            """)
    }

    /// Has a verb of the runtime lie from now on; with no letters, be honest.
    func lie(_ verb: String, _ letters: String) throws {
        try Data(letters.utf8).write(to: URL(filePath: "\(state)/lie-\(verb)"))
    }

    static let impatient = RemovalOptions(
        timeout: .seconds(20), runtimeCall: .milliseconds(400), afterKill: .milliseconds(300))

    func remove(_ options: RemovalOptions = LyingPod.impatient) async throws -> RemovalReport {
        guard case .finished(let report, _) = try await orchestrator.remove(id, options: options) else {
            throw ProgramFailure(description: "it is not registered any more")
        }
        return report
    }

    func stop() async throws -> RemovalReport {
        let answer = try await orchestrator.stop(id, grace: .milliseconds(200), options: Self.impatient)
        guard case .finished(let report, _) = answer else {
            throw ProgramFailure(description: "it is not registered any more")
        }
        return report
    }

    var isRegistered: Bool { get throws { try orchestrator.registry.sandbox(id) != nil } }
    var living: [Int32] { pids.filter { NodeProcess($0).isAlive } }
    /// Whether what lies beneath a living container is all there.
    var isUntouched: Bool {
        FileManager.default.fileExists(atPath: "\(directory)/rootfs/file")
            && (try? mounts(beneath: sandbox).count) == 1
    }
    var leftovers: [String] {
        get throws {
            try living.map { "process \($0)" } + mounts(beneath: directory) + mounts(beneath: sandbox)
                + [directory, sandbox, state, cgroup].filter { FileManager.default.fileExists(atPath: $0) }
        }
    }
}

/// Calls `body` with such a pod on a node of its own.
func withLyingPod(
    isolation: isolated (any Actor)? = #isolation, _ body: (LyingPod) async throws -> Void
) async throws {
    try await withPodNode { node in
        let pod = try await LyingPod(node)
        defer { pod.clear() }
        try await body(pod)
    }
}
