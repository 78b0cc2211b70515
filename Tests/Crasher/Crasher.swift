import Foundation
import SandboxRegistry
import SandboxRemoval

/// Removes or stops a sandbox, and is killed at exactly one moment of it, or kills its helpers there:
///
///     podreap-crasher REGISTRY HELPER remove|stop ID [none | STEP before|during|after orchestrator|helpers MICROSECONDS]
///
/// `during` is that long after the step has begun. Prints the steps with their durations, and how it ended.
@main
enum Crasher {
    struct Crash {
        enum Moment: String { case before, during, after }
        let step: Int
        let moment: Moment
        let killsHelpers: Bool
        let delay: UInt32
    }

    static func main() async throws {
        let arguments = CommandLine.arguments
        let crash = arguments.count < 9 ? nil : Crash(arguments[5...])
        let orchestrator = try Orchestrator(path: arguments[1], helper: arguments[2], warm: 2)
        let tell: @Sendable (RemovalEvent) -> Void = { event in
            switch event {
            case .started(let step): crash?.started(step)
            case .finished(let step, let record):
                if record.outcome == .failed { print("failed: \(step): \(record.detail ?? "")") }
                crash?.finished(step)
            default: break
            }
        }
        let answer =
            arguments[3] == "stop"
            ? try await orchestrator.stop(arguments[4], grace: .milliseconds(300), tell: tell)
            : try await orchestrator.remove(arguments[4], tell: tell)
        guard case .finished(let report, _) = answer else { return print("unknown") }
        for step in report.steps { print("step \(step.number) \(step.verb) \(step.subject) \(step.duration)") }
        print(report.outcome.rawValue)
    }
}

extension Crasher.Crash {
    init?(_ words: ArraySlice<String>) {
        let words = Array(words)
        guard let step = Int(words[0]), let moment = Moment(rawValue: words[1]), let delay = UInt32(words[3]) else {
            return nil
        }
        self.init(step: step, moment: moment, killsHelpers: words[2] == "helpers", delay: delay)
    }

    func started(_ step: Step) {
        guard step.number == self.step else { return }
        switch moment {
        case .before: strike()
        case .during:
            Thread.detachNewThread {
                usleep(delay)
                strike()
            }
        case .after: break
        }
    }

    func finished(_ step: Step) {
        if step.number == self.step, moment == .after { strike() }
    }

    /// What is killed with KILL does nothing more, not even flush.
    private func strike() {
        guard killsHelpers else {
            kill(getpid(), SIGKILL)
            return
        }
        // Each thread has the children that it has started.
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        for thread in threads {
            let children = (try? String(contentsOfFile: "/proc/self/task/\(thread)/children", encoding: .utf8)) ?? ""
            for child in children.split(separator: " ").compactMap({ Int32($0) }) { kill(child, SIGKILL) }
        }
    }
}
