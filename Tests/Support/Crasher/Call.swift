import Foundation
import SandboxRegistry
import SandboxRemoval

/// A call of the library, with an id or a document's path.
enum Call: String {
    case remove, stop, register, plan, gc
    case removeContainer = "remove-container"
    case stopContainer = "stop-container"
    /// `gc --remove --older-than 0`.
    case collect

    func make(
        _ orchestrator: Orchestrator, _ subject: String, _ tell: @escaping @Sendable (RemovalEvent) -> Void
    ) async throws {
        let (grace, options) = (Duration.milliseconds(300), RemovalOptions.ofEnvironment())
        switch self {
        case .remove: show(try await orchestrator.remove(subject, options: options, tell: tell))
        case .stop: show(try await orchestrator.stop(subject, grace: grace, options: options, tell: tell))
        case .removeContainer: show(try await orchestrator.remove(container: subject, options: options, tell: tell))
        case .stopContainer:
            show(try await orchestrator.stop(container: subject, grace: grace, options: options, tell: tell))
        case .register:
            let document = try RegistrationDocument(json: Data(contentsOf: URL(filePath: subject)))
            for warning in try await orchestrator.register(document).warnings { print("warning: \(warning)") }
            print("registered")
        case .plan: print(try orchestrator.plan(subject) == nil ? "unknown" : "planned")
        case .gc, .collect: try await collect(orchestrator)
        }
    }

    private func show(_ answer: RemovalAnswer) {
        guard case .finished(let report, _) = answer else { return print("unknown") }
        for step in report.steps {
            print("step \(step.number) \(step.verb) \(step.subject) \(step.duration / .milliseconds(1))")
        }
        print(report.outcome.rawValue)
    }

    private func collect(_ orchestrator: Orchestrator) async throws {
        let facts = try await orchestrator.garbage()
        for verdict in facts.judge(olderThan: .zero) {
            guard case .remove(let reason) = verdict.decision else { continue }
            print("garbage: \(verdict.item.kindName) \(verdict.item.path): \(reason)")
            guard self == .collect else { continue }
            if let failure = try await orchestrator.collect(verdict, from: facts, olderThan: .zero) {
                print("failed: \(verdict.item.path): \(failure)")
            }
        }
        print("collected")
    }
}

extension RemovalOptions {
    static func ofEnvironment() -> RemovalOptions {
        let seconds = ProcessInfo.processInfo.environment["AFTER_KILL"].flatMap { Double($0) }
        return seconds.map { RemovalOptions(afterKill: .seconds($0)) } ?? RemovalOptions()
    }
}
