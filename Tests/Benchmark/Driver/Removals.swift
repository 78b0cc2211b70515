import FoundationEssentials
import SamplePod

/// Removals of real pods, by all contestants in turns.
struct Removals {
    private let measure: Measure
    private let node: SampleNode
    private let contestants: [any Contestant]
    private let library: Agent
    private let daemon: Daemon
    private let agents: [Agent]

    init(_ measure: Measure, _ installation: SampleInstallation) throws {
        self.measure = measure
        node = installation.node
        library = try measure.worker("library", installation)
        daemon = try Daemon(measure, installation, registry: try measure.registry("daemon"))
        let commandLine = try measure.worker("command-line", installation)
        let registering = try measure.worker("daemon", installation)
        let client = try measure.peer("podreapd", daemon.socket)
        var agents = [library, commandLine, registering, client]
        var contestants: [any Contestant] = [
            SelfMeasuring(name: "floor", program: "\(measure.programs)/floor", node: node),
            Library(agent: library, installation: installation),
            CommandLineTool(agent: commandLine, installation: installation),
            DaemonService(client: client, agent: registering, installation: installation),
            SelfMeasuring(name: "shell script", program: "\(measure.scripts)/sequence", node: node),
        ]
        for (name, place) in [("containerd", measure.containerd), ("podman", measure.podman)] {
            guard let place else { continue }
            let agent = try measure.peer(name, place)
            agents.append(agent)
            contestants.append(Peer(name, agent))
        }
        self.contestants = contestants
        self.agents = agents
    }

    func end() {
        agents.forEach { $0.end() }
        daemon.end()
    }

    func oneByOne(_ results: inout Results) throws {
        let shapes = measure.workloads.flatMap { workloads in
            [Workload.Behaviour.handlesTerm, .ignoresTerm].map { Shape(workloads: workloads, behaviour: $0) }
        }
        // The first round warms caches, pools and the page cache up.
        for round in 0...measure.rounds {
            for shape in shapes {
                for contestant in inTurns(round) {
                    let pods = try contestant.prepare(1, shape)
                    let times = try remove(pods)
                    if round == 0 { continue }
                    for time in times { results.add("removal", shape.name, time.who, "ms", time.milliseconds) }
                    if contestant is Library, let pod = (pods as? SamplePods)?.pods.first {
                        let report = try library.ask("steps \(pod.id)")
                        try addSteps(JSONDecoder().decode(Report.self, from: Data(report.utf8)), shape, &results)
                    }
                }
            }
        }
    }

    func atOnce(_ results: inout Results) throws {
        let shape = Shape(workloads: 1, behaviour: .handlesTerm)
        for count in measure.atOnce {
            // Making pods takes longest.
            for round in 0..<max(1, min(measure.rounds, 60 / count)) {
                for contestant in inTurns(round) {
                    for time in try remove(try contestant.prepare(count, shape)) {
                        results.add("many", "\(count) pods at once", time.who, "ms", time.milliseconds)
                    }
                }
            }
        }
    }

    /// Each goes first equally often.
    private func inTurns(_ round: Int) -> [any Contestant] {
        contestants.indices.map { contestants[($0 + round) % contestants.count] }
    }

    private func remove(_ pods: any Prepared) throws -> [(who: String, milliseconds: Double)] {
        let times: [(who: String, milliseconds: Double)]
        do {
            times = try pods.remove()
        } catch {
            try? pods.finish()
            throw error
        }
        try pods.finish()
        return times
    }

    /// As `podreap history --json` has it.
    private struct Report: Decodable {
        struct Step: Decodable {
            var verb: String
            /// Milliseconds.
            var start, duration: Double
        }
        var steps: [Step]
        /// Seconds.
        var duration: Double
    }

    /// Steps run side by side, so what each kind takes is counted once where several do: the time in which at least one ran.
    private func addSteps(_ report: Report, _ shape: Shape, _ results: inout Results) {
        func covered(_ verbs: Set<String>) -> Double {
            var (total, end) = (0.0, 0.0)
            for step in report.steps.filter({ verbs.contains($0.verb) }).sorted(by: { $0.start < $1.start }) {
                total += max(0, step.start + step.duration - max(end, step.start))
                end = max(end, step.start + step.duration)
            }
            return total
        }
        for verb in Set(report.steps.map(\.verb)) { results.add("steps", shape.name, verb, "ms", covered([verb])) }
        results.add("steps", shape.name, "whole", "ms", report.duration * 1000)
        // `end` and `delete` are the runtime's calls, and the wait for a process that one has killed.
        results.add("steps", shape.name, "end or delete", "ms", covered(["end", "delete"]))
    }
}
