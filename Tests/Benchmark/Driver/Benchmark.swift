import ArgumentParser
import SamplePod

/// Measures removals of real pods. All contestants take turns in one run, so that their ratios hold on a noisy machine.
@main
struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "podreap-benchmark",
        abstract: "Measures how long podreap takes to remove pods, against the floor.",
        subcommands: [Compare.self, Worker.self], defaultSubcommand: Compare.self)
}

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs all contestants in turns and prints a table.")

    @Option(help: "The helper, as it is shipped.")
    var helper: String

    @Option(help: "The command line, as it is shipped.")
    var podreap: String

    @Option(help: "The floor: Tests/Benchmark/floor.c.")
    var floor: String

    @Option(help: "How many pods of each size each contestant removes.")
    var rounds = 15

    @Option(parsing: .upToNextOption, help: "How many workloads the pods have beside their infra container.")
    var workloads = [1, 3]

    func run() throws {
        let installation = try SampleInstallation(helper: helper, program: podreap)
        defer { installation.node.destroy() }
        let library = try Library(installation)
        let contestants: [any Contestant] = [Floor(program: floor), library, CommandLineTool(installation)]
        var table = Table()
        for size in workloads {
            var samples = contestants.map { _ in [Double]() }
            for round in 0...rounds {
                // Each goes first equally often.
                for turn in contestants.indices {
                    let index = (turn + round) % contestants.count
                    let time = try removal(of: size, by: contestants[index], installation)
                    // The first round warms caches, pools and the page cache up.
                    if round > 0 { samples[index].append(time) }
                }
            }
            for (contestant, times) in zip(contestants, samples) {
                table.add("infra + \(size)", contestant.name, Samples(times), against: Samples(samples[0]))
            }
        }
        print(table.text)
    }

    /// Milliseconds. Ends the run where anything is left.
    private func removal(
        of size: Int, by contestant: any Contestant, _ installation: SampleInstallation
    ) throws -> Double {
        let pod = try SamplePod(on: installation.node, workloads: (0..<size).map { _ in Workload() })
        defer { pod.destroy() }
        try contestant.prepare(pod)
        let milliseconds = try contestant.remove(pod)
        let left = pod.leftovers()
        guard left.isEmpty else {
            throw Incomplete("\(contestant.name) left behind: \(left.joined(separator: ", "))")
        }
        return milliseconds
    }
}

struct Incomplete: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
