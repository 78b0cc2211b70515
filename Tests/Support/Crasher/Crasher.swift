import Foundation
import SandboxRegistry
import SandboxRemoval

/// Makes one call of the library, and is killed at exactly one moment of it, or kills its helpers there:
///
///     podreap-crasher REGISTRY HELPER VERB ID [none | STEP before|during|after orchestrator|helpers MICROSECONDS]
///
/// `during` is that long after the step has begun. Prints the steps with their durations, what failed, and how it ended. The verbs are
/// `Call`'s; AFTER_KILL is how many seconds a killed process may take to end.
@main
enum Crasher {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count > 4, let call = Call(rawValue: arguments[3]) else { return fail("see Crasher.swift") }
        let crash = arguments.count < 9 ? nil : Crash(arguments[5...])
        let tell: @Sendable (RemovalEvent) -> Void = { event in
            switch event {
            case .started(let step): crash?.started(step)
            case .finished(let step, let record):
                if record.outcome == .failed { print("failed: \(step): \(record.detail ?? "")") }
                if let cause = record.cause { print("cause: \(cause.kind.rawValue) \(cause.rule ?? "")") }
                crash?.finished(step)
            default: break
            }
        }
        do {
            let orchestrator = try Orchestrator(path: arguments[1], helper: arguments[2], warm: 2)
            try await call.make(orchestrator, arguments[4], tell)
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ text: String) {
        print("error: \(text)")
        exit(3)
    }
}

/// A moment of a call, and what is killed then.
struct Crash {
    enum Moment: String { case before, during, after }
    let step: Int
    let moment: Moment
    let killsHelpers: Bool
    let delay: UInt32
}

extension Crash {
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
