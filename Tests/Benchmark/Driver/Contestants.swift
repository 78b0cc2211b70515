import SamplePod

/// A program that reads what there is to remove, and measures itself: the floor in C, or a shell script.
struct SelfMeasuring: Contestant {
    let name: String
    let program: String
    let node: SampleNode

    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared {
        try SamplePods(node, count, shape, for: name) { pods in
            let process = try Child([program] + (count > 1 ? ["-a"] : []) + [node.runtime, node.runtimeRoot])
            process.write(description(of: pods))
            process.closeInput()
            let text = process.readAll()
            guard process.wait() == 0, let last = text.split(separator: "\n").last,
                let microseconds = Double(last.split(separator: " ").last ?? "")
            else { throw Incomplete("\(name) failed: \(text)") }
            return [(name, microseconds / 1000)]
        }
    }
}

/// The Swift library in a process that lasts, as a CRI runtime would have it: unprivileged, with its helpers running.
struct Library: Contestant {
    let agent: Agent
    let installation: SampleInstallation

    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared {
        try SamplePods(installation.node, count, shape, for: "library") { pods in
            for pod in pods {
                _ = try agent.ask("register \(try installation.place(pod.registration, as: "library.json"))")
            }
        } remove: { pods in
            [("library", try agent.microseconds("remove \(pods.map(\.id).joined(separator: " "))") / 1000)]
        }
    }
}

/// `podreap remove`, from its start to its end. Nobody else has its registry open.
struct CommandLineTool: Contestant {
    let agent: Agent
    let installation: SampleInstallation

    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared {
        try SamplePods(installation.node, count, shape, for: "command line") { pods in
            try register(pods, with: agent, installation)
        } remove: { pods in
            [
                (
                    "command line",
                    try agent.microseconds("podreap remove \(pods.map(\.id).joined(separator: " "))") / 1000
                )
            ]
        }
    }
}

/// `podreapd`, called by a client of CRI in Python; and the same removals as its own reports have them.
struct DaemonService: Contestant {
    let client: Agent
    let agent: Agent
    let installation: SampleInstallation

    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared {
        try SamplePods(installation.node, count, shape, for: "daemon") { pods in
            try register(pods, with: agent, installation)
        } remove: { pods in
            let ids = pods.map(\.id).joined(separator: " ")
            let called = try client.microseconds("remove \(ids)")
            return [
                ("daemon, server side", try agent.microseconds("span \(ids)") / 1000),
                ("daemon, client side", called / 1000),
            ]
        }
    }
}

private func register(_ pods: [SamplePod], with agent: Agent, _ installation: SampleInstallation) throws {
    for pod in pods {
        _ = try agent.ask("podreap register \(try installation.place(pod.registration, as: "\(agent.name).json"))")
    }
}

/// Another runtime, which makes its pods itself.
final class Peer: Contestant {
    let name: String
    private let agent: Agent
    private var made = 0

    init(_ name: String, _ agent: Agent) {
        self.name = name
        self.agent = agent
    }

    private struct Pods: Prepared {
        let peer: Peer
        let ids: [String]

        func remove() throws -> [(who: String, milliseconds: Double)] {
            [(peer.name, try peer.agent.microseconds("remove \(ids.joined(separator: " "))") / 1000)]
        }

        func finish() {}
    }

    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared {
        let behaviour = shape.ignoresTerm ? "ignoresTerm" : "handlesTerm"
        return Pods(
            peer: self,
            ids: try (0..<count).map { _ in
                made += 1
                return try agent.ask("make pod-\(made) \(shape.workloads) \(behaviour)")
            })
    }
}
