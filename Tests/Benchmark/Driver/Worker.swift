import ArgumentParser
import FoundationEssentials
import Glibc
import SandboxRegistry
import SandboxRemoval

/// Registers and removes pods through the library as lines on standard input ask: `register FILE`, `remove ID`.
/// Answers `ok`, and for a removal the microseconds that the call took.
struct Worker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Holds the library for the comparison.", shouldDisplay: false)

    func run() async throws {
        guard let path = Self.variable("PODREAP_REGISTRY"), let helper = Self.variable("PODREAP_HELPER") else {
            throw ValidationError("PODREAP_REGISTRY and PODREAP_HELPER are not set")
        }
        let orchestrator = try Orchestrator(path: path, helper: helper)
        while let line = readLine() {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            do {
                print("ok", try await Self.carryOut(words[0], words[1], orchestrator))
            } catch {
                print("\(error)")
            }
            fflush(nil)
        }
    }

    private static func carryOut(_ verb: String, _ argument: String, _ orchestrator: Orchestrator) async throws -> Int {
        guard verb == "remove" else {
            let document = try RegistrationDocument(json: try Data(contentsOf: URL(filePath: argument)))
            _ = try await orchestrator.register(document)
            return 0
        }
        let start = ContinuousClock.now
        let answer = try await orchestrator.remove(argument)
        let duration = ContinuousClock.now - start
        guard case .finished(let report, _) = answer, report.outcome == .removed else {
            throw Incomplete("not removed: \(answer)")
        }
        return Int(duration / .microseconds(1))
    }

    private static func variable(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }
}
