import ArgumentParser
internal import FoundationEssentials
internal import LinuxSystem
internal import SandboxRemoval

/// Unsticks one pod of a living runtime.
struct Rescue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a pod's runtime to remove it, does what keeps the runtime from that, and asks again.")

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @Flag(help: "Take a pod that runs and that nobody has asked its runtime to stop.")
    var running = false

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: ArgumentHelp("How long the runtime is asked again, at least 60.", valueName: "seconds"))
    var patience: Double = 90

    @Option(help: ArgumentHelp("The helper's program, which detaches mounts.", valueName: "path"))
    var helper = "/usr/libexec/podreap/podreap-helper"

    @Argument(help: "A pod's id, NAME or NAMESPACE/NAME.")
    var pod: String

    func run() async throws {
        var run = RescueRun(pod: pod, helper: helper, patience: .seconds(max(60, min(patience, 3600))))
        let report: RescueReport
        do {
            report = try await run.run(isDry: dryRun, takesRunning: running)
        } catch let refusal as RescueRefusal {
            writeAll("podreap: \(refusal)\n", to: 2)
            throw ExitCode(2)
        } catch let error as RemovalError {
            writeAll("podreap: \(error)\n", to: 2)
            throw ExitCode(3)
        }
        writeAll(json ? report.json : report.text, to: 1)
        if !report.isGone, !dryRun { throw ExitCode(1) }
    }
}

/// Why a pod is not rescued, and what to do instead. Nothing was changed.
struct RescueRefusal: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What was stuck, what was done about it, and what is left.
struct RescueReport: Encodable {
    struct Row: Encodable, Equatable {
        /// What was found, or asked.
        var what: String
        /// What was done about it; empty if nothing can be.
        var done: String
        var result: String
    }

    var sandbox: String
    var pod: String
    var rows: [Row] = []
    /// Whether the runtime no longer lists the pod.
    var isGone = false
    var left: [String] = []

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ((try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}") + "\n"
    }

    var text: String {
        let cells = rows.map { [abbreviated($0.what), $0.done, abbreviated($0.result)] }
        return "\(shortened(sandbox)) (pod \(pod))\n" + table([["WHAT", "DONE", "RESULT"]] + cells)
            + (isGone ? "its runtime lists it no more\n" : "its runtime still lists it\n")
            + left.map { "left: \($0)\n" }.joined()
    }
}
