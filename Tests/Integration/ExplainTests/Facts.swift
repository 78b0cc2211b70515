import Foundation
import NodeObservation
import SandboxRegistry

@testable import SandboxRemoval

/// Facts of a pod `p` with one container `app`.
enum Facts {
    static let container = Container(
        id: "c", sandboxID: "p", name: "app", createdAt: Date(timeIntervalSince1970: 0), runtime: "runc",
        directories: [Container.Directory(path: "/run/ctr/c")], cgroups: ["/sys/fs/cgroup/f/c"])

    static func pod(_ state: SandboxState = .ready) -> PodFacts {
        let sandbox = Sandbox(
            id: "p", metadata: PodMetadata(name: "web", namespace: "default", uid: "uid-1", attempt: 0),
            createdAt: Date(timeIntervalSince1970: 0), state: state, runtime: "runc", directory: "/run/pods/p",
            shm: "/run/pods/p/shm", namespaces: [NamespacePin(kind: .network, path: "/run/netns/a")])
        var facts = PodFacts(sandbox: sandbox, containers: [container])
        facts.unseen = ["something"]
        return facts
    }

    /// The pod after a removal of which one step of its container failed.
    static func stuck(_ verb: String, _ detail: String, _ cause: StepCause? = nil, target: String = "") -> PodFacts {
        var facts = pod(.removing)
        let step = StepRecord(
            number: 0, verb: verb, subject: "c", target: target, outcome: .failed, detail: detail, cause: cause,
            start: .zero, duration: .milliseconds(1))
        facts.report = RemovalReport(
            purpose: .remove, sandbox: facts.sandbox, startedAt: Date(timeIntervalSince1970: 0), duration: .seconds(1),
            outcome: .incomplete, steps: [step], warnings: [])
        return facts
    }

    static func member(_ pid: Int32, state: String = "S") -> PodFacts.Member {
        let process = ProcessObservation(
            pid: pid, name: "sleep", command: "sleep 9", state: state, cgroups: ["/sys/fs/cgroup/f/c"])
        return PodFacts.Member(container: "c", isInit: true, process: process)
    }

    static func mount(
        _ path: String, _ type: String = "tmpfs", _ answer: FilesystemProbe? = nil, own: Bool = true
    ) -> PodFacts.Mounted {
        // Devices come from mount tables only.
        let line = "1 0 0:45 / \(path) rw - \(type) none rw\n"
        let mount = try! MountTable.parse(Array(line.utf8)).mounts[0]
        return PodFacts.Mounted(mount, answer: answer, isOwn: own)
    }
}
