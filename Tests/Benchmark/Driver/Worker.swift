import ArgumentParser
import FoundationEssentials
import Glibc
import SandboxRegistry
import SandboxRemoval

/// The unprivileged user's part, as lines on standard input ask:
///
///     register FILE        registers through the library
///     remove ID...         removes through the library, all at once: microseconds
///     podreap WORD...      runs the command line, from its start to its end: microseconds
///     span ID...           from the first start to the last end of these removals, as their reports say: microseconds
///     steps ID             the report of the last removal, in JSON
struct Worker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Acts as the unprivileged user.", shouldDisplay: false)

    @Option var podreap: String
    @Option var registry: String
    @Option var helper: String
    @Option var helpers: Int?

    func run() async throws {
        unsafe setenv("PODREAP_REGISTRY", registry, 1)
        unsafe setenv("PODREAP_HELPER", helper, 1)
        var orchestrator: Orchestrator?
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            do {
                if ["register", "remove"].contains(words[0]), orchestrator == nil {
                    orchestrator = try Orchestrator(path: registry, helper: helper, atOnce: helpers)
                }
                print("ok", try await answer(words[0], Array(words.dropFirst()), orchestrator))
            } catch {
                print("\(error)")
            }
            fflush(nil)
        }
    }

    private func answer(_ verb: String, _ arguments: [String], _ orchestrator: Orchestrator?) async throws -> String {
        switch (verb, orchestrator) {
        case ("register", let orchestrator?):
            let document = try RegistrationDocument(json: try Data(contentsOf: URL(filePath: arguments[0])))
            return try await orchestrator.register(document).sandbox.id
        case ("remove", let orchestrator?):
            return try await remove(arguments, orchestrator)
        case ("podreap", _):
            return try runProgram(arguments)
        case ("span", _):
            let reports = try arguments.map(report)
            let start = reports.map(\.startedAt).min() ?? .now
            let end = reports.map { $0.startedAt.addingTimeInterval($0.duration / .seconds(1)) }.max() ?? .now
            return "\(Int(end.timeIntervalSince(start) * 1e6))"
        case ("steps", _):
            return String(decoding: try report(arguments[0]).body, as: UTF8.self)
        default:
            throw Incomplete("the worker knows no \(verb)")
        }
    }

    private func remove(_ ids: [String], _ orchestrator: Orchestrator) async throws -> String {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup { group in
            for id in ids {
                group.addTask {
                    guard case .finished(let report, _) = try await orchestrator.remove(id), report.outcome == .removed
                    else { throw Incomplete("\(id) is not removed") }
                }
            }
            try await group.waitForAll()
        }
        return "\(Int((.now - start) / .microseconds(1)))"
    }

    private func runProgram(_ arguments: [String]) throws -> String {
        let start = ContinuousClock.now
        let process = try Child([podreap] + arguments)
        process.closeInput()
        let text = process.readAll()
        guard process.wait() == 0 else { throw Incomplete("podreap \(arguments[0]): \(text)") }
        return "\(Int((.now - start) / .microseconds(1)))"
    }

    /// The registry is open for this alone: whoever else has it shall not find it open.
    private func report(_ id: String) throws -> StoredReport {
        guard let report = try Registry(path: registry).reports(limit: 1, of: id).first else {
            throw Incomplete("no report of \(id)")
        }
        return report
    }
}
