import Foundation
import SandboxRegistry
import Testing

/// A directory of a test's own, removed when the test lets go of it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/registry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var registry: String { path + "/registry.sqlite" }
}

extension Sandbox {
    /// A sandbox whose names and paths follow from its id, so that two of them never meet.
    static func sample(_ id: String, level: String = "s0:c1,c2") -> Sandbox {
        Sandbox(
            id: id,
            metadata: PodMetadata(name: "pod-\(id)", namespace: "default", uid: "uid-\(id)", attempt: 3),
            createdAt: Date(timeIntervalSince1970: 1_700_000_000.123456),
            runtime: "runc",
            directory: "/run/pods/\(id)",
            directoryIdentity: FileIdentity(device: .max, inode: 1 << 63, birth: 7),
            shm: "/run/pods/\(id)/shm",
            namespaces: [
                NamespacePin(
                    kind: .network, path: "/run/netns/\(id)", identity: FileIdentity(device: 4, inode: 5, birth: 0)),
                NamespacePin(kind: .uts, path: "/run/utsns/\(id)"),
            ],
            processLabel: "system_u:system_r:container_t:\(level)",
            mountLabel: "system_u:object_r:container_file_t:\(level)",
            labels: ["app": "web", "é \"\\\n\u{0}": "quoted"],
            annotations: ["empty": ""],
            bootID: "0b3c9a6e-6f7f-4f52-8d0c-000000000000")
    }

    func workload(_ id: String, name: String? = nil) -> Container {
        Container(
            id: id, sandboxID: self.id, name: name ?? "name-\(id)", attempt: 1,
            createdAt: Date(timeIntervalSince1970: 1_700_000_001), runtime: "crun", image: "registry.example/web:1",
            directories: [
                Container.Directory(
                    path: "/run/containers/\(id)", identity: FileIdentity(device: 1, inode: 2, birth: 3)),
                Container.Directory(path: "/var/containers/\(id)"),
            ],
            stopSignal: 37, process: ProcessReference(pid: 4711, startTime: .max),
            cgroups: ["/sys/fs/cgroup/pids/\(id)", "/sys/fs/cgroup/memory/\(id)"],
            labels: ["tier": "front"], annotations: ["a": "b"])
    }

    var infra: Container {
        Container(
            id: id, sandboxID: id, isInfra: true, name: Container.infraName, attempt: metadata.attempt,
            createdAt: createdAt, runtime: runtime, directories: [Container.Directory(path: "/run/containers/\(id)")])
    }
}

extension StoredReport {
    static func sample(_ id: String, pod: String = "pod", outcome: String = "removed") -> StoredReport {
        StoredReport(
            sandboxID: id, podName: pod, startedAt: Date(timeIntervalSince1970: 1_700_000_002.5),
            duration: .seconds(0.25),
            outcome: outcome, body: Data(#"{"steps":[]}"#.utf8))
    }
}
