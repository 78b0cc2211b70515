import Foundation
import NodeObservation
import SandboxRegistry
import SandboxRemoval

/// Records and observations for plans.
enum Records {
    static let boot = "11111111-2222-3333-4444-555555555555"

    static func sandbox(
        shm: String? = "/run/pods/p/shm", namespaces: [NamespacePin] = [pin], bootID: String? = boot,
        state: SandboxState = .ready
    ) -> Sandbox {
        Sandbox(
            id: "p", metadata: PodMetadata(name: "web", namespace: "default", uid: "u", attempt: 0),
            createdAt: Date(timeIntervalSince1970: 0), state: state, runtime: "runc", directory: "/run/pods/p",
            shm: shm,
            namespaces: namespaces, bootID: bootID)
    }

    static let pin = NamespacePin(kind: .network, path: "/run/netns/cni-p")

    static func container(
        _ id: String, infra: Bool = false, directories: [String]? = nil, runtime: String = "runc"
    ) -> Container {
        Container(
            id: id, sandboxID: "p", isInfra: infra, name: infra ? "POD" : id, createdAt: Date(timeIntervalSince1970: 0),
            runtime: runtime, directories: (directories ?? ["/run/ctr/\(id)"]).map { Container.Directory(path: $0) },
            stopSignal: 3)
    }

    static let infra = container("i", infra: true)

    /// A mount table with tmpfs mounts at these places, the later ones on the earlier ones where they lie beneath them.
    static func mounts(_ points: [String]) throws -> MountTable {
        var text = "1 0 0:1 / / rw - ext4 /dev/sda rw\n"
        for (index, point) in points.enumerated() {
            let parent = points[..<index].lastIndex { point == $0 || point.hasPrefix($0 + "/") }.map { $0 + 2 } ?? 1
            text += "\(index + 2) \(parent) 0:\(index + 2) / \(point) rw - tmpfs tmpfs rw\n"
        }
        return try MountTable.parse(Array(text.utf8))
    }

    static func seen(
        _ processes: [String: SandboxSnapshot.Processes] = [:], mounts: [String] = [], bootID: String = boot
    ) throws -> SandboxSnapshot {
        SandboxSnapshot(bootID: bootID, mounts: try Self.mounts(mounts), processes: processes)
    }

    static func running(_ pid: Int32) -> SandboxSnapshot.Processes {
        .running(ProcessReference(pid: pid, startTime: UInt64(pid) * 10))
    }
}

extension RemovalPlan {
    /// Each step as a short line: subject, verb, target.
    var lines: [String] {
        steps.map { "\($0.subject.id) \($0.verb) \($0.target)".trimmingCharacters(in: .whitespaces) }
    }

    func number(_ line: String) -> Int? { lines.firstIndex(of: line) }

    /// Whether a step waits for another, at once or through others.
    func waits(_ line: String, for other: String) -> Bool {
        guard let start = number(line), let goal = number(other) else { return false }
        var open = [start]
        while let step = open.popLast() {
            if steps[step].dependencies.contains(goal) { return true }
            open += steps[step].dependencies
        }
        return false
    }
}
