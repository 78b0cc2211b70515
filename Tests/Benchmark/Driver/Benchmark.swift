import ArgumentParser
import FoundationEssentials
import Glibc
import SamplePod

/// Measures podreap against what else removes pods. All contestants take turns in one run, so that their ratios hold on a noisy
/// machine. `Tests/Benchmark/run` starts it.
@main
struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "podreap-benchmark", abstract: "Measures podreap against what else removes pods.",
        subcommands: [Measure.self, Worker.self], defaultSubcommand: Measure.self)
}

enum Part: String, CaseIterable, ExpressibleByArgument {
    case removals, many, trees, helper, registry, ps, memory
}

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures, and writes every sample.")

    @Option(help: "The helper, as it is shipped.")
    var helper: String

    @Option(help: "The command line, as it is shipped.")
    var podreap: String

    @Option(help: "The daemon, as it is shipped.")
    var podreapd: String

    @Option(help: "A directory for registries and for the other runtimes, on a disk.")
    var directory: String

    @Option(help: "The directory of floor and exchange, the C programs.")
    var programs: String

    @Option(help: "The directory of peer.py and sequence.")
    var scripts: String

    @Option(help: "Where the samples go, in JSON.")
    var output: String

    @Option(help: "A containerd's socket; without one it takes no part.")
    var containerd: String?

    @Option(help: "Containerd's process, for its memory.")
    var containerdPid: Int32?

    @Option(help: "A podman's directory; without one it takes no part.")
    var podman: String?

    @Option(parsing: .upToNextOption, help: "What to measure.")
    var parts = Part.allCases

    @Option(help: "How many pods of each shape each contestant removes.")
    var rounds = 15

    @Option(parsing: .upToNextOption, help: "How many workloads the pods have beside their infra container.")
    var workloads = [1, 3, 10]

    @Option(parsing: .upToNextOption, help: "How many pods are removed at once.")
    var atOnce = [20, 100]

    @Option(help: "How many files the trees have.")
    var files = 100_000

    @Option(parsing: .upToNextOption, help: "How many sandboxes the registries have.")
    var sandboxes = [10, 1000, 100_000]

    @Option(help: "After how many removals the daemon's memory is looked at again.")
    var removals = 2000

    func run() throws {
        // A pipe's other end may be gone: then that is said.
        signal(SIGPIPE, SIG_IGN)
        let installation = try SampleInstallation(helper: helper, program: podreap)
        defer { installation.node.destroy() }
        var results = Results()
        for part in Part.allCases where parts.contains(part) {
            let start = ContinuousClock.now
            switch part {
            case .removals, .many:
                let removals = try Removals(self, installation)
                defer { removals.end() }
                if part == .many { try removals.atOnce(&results) } else { try removals.oneByOne(&results) }
            case .trees: try Trees(self, installation).measure(&results)
            case .helper: try measureHelper(&results)
            case .registry: try measureRegistry(&results)
            case .ps: try measureList(installation, &results)
            case .memory: try measureMemory(installation, &results)
            }
            // Kept after each part: one that fails later takes nothing away.
            try results.write(to: output)
            say("\(part.rawValue): \(Int((.now - start) / .seconds(1))) s")
        }
    }

    func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// A process of the unprivileged user, with a registry of its own.
    func worker(_ name: String, _ installation: SampleInstallation, helpers: Int? = nil) throws -> Agent {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return try Agent(
            name,
            installation.command(
                program: program,
                [
                    "worker", "--podreap", podreap, "--registry", try registry(name), "--helper", installation.helper,
                ] + (helpers.map { ["--helpers", "\($0)"] } ?? [])))
    }

    func registry(_ name: String) throws -> String {
        let directory = "\(directory)/registry-\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        _ = unsafe chown(directory, SampleInstallation.user, SampleInstallation.user)
        return "\(directory)/registry.sqlite"
    }

    /// A client of CRI, or a podman.
    func peer(_ kind: String, _ place: String) throws -> Agent {
        try Agent(kind, ["/usr/bin/python3", "\(scripts)/peer.py", kind, place])
    }
}
