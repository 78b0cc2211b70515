import Foundation
import SandboxRegistry
import SandboxRemoval
import TestNode
import Testing

/// A runtime's exit status and words are never believed, whatever it says through the real helper.
@Suite(.serialized) struct LyingRuntimeTests {
    /// A lie that keeps the sandbox from being removed, and what the failed step says.
    struct Obstacle: CustomTestStringConvertible, Sendable {
        var verb: String
        var letters: String
        var says: String
        /// Whether processes live after it.
        var leavesProcesses: Bool
        var knowsProcess = true
        var testDescription: String { "\(verb) \(letters)" }
    }

    static let obstacles = [
        Obstacle(verb: "kill", letters: "n", says: "lives in the cgroup", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "nf", says: "exited with status 1", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "H", says: "not done in time", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "s", says: "signal 11", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "e", says: "lives in the cgroup", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "nd", says: "does not know the container any more", leavesProcesses: true),
        Obstacle(verb: "kill", letters: "ndf", says: "does not know the container any more", leavesProcesses: true),
        Obstacle(verb: "delete", letters: "n", says: "its state is still there", leavesProcesses: false),
        Obstacle(verb: "delete", letters: "nf", says: "exited with status 1", leavesProcesses: false),
        Obstacle(verb: "delete", letters: "H", says: "not done in time", leavesProcesses: false),
        Obstacle(verb: "delete", letters: "s", says: "signal 11", leavesProcesses: false),
        Obstacle(verb: "state", letters: "g", says: "not understood", leavesProcesses: true, knowsProcess: false),
        Obstacle(verb: "state", letters: "n", says: "not understood", leavesProcesses: true, knowsProcess: false),
        Obstacle(verb: "state", letters: "e", says: "signal 25", leavesProcesses: true, knowsProcess: false),
        Obstacle(
            verb: "state", letters: "nf", says: "exited with status 1", leavesProcesses: true, knowsProcess: false),
        Obstacle(verb: "state", letters: "H", says: "not done in time", leavesProcesses: true, knowsProcess: false),
    ]

    /// It is told what is wrong, nothing is touched beneath a living process, and with an honest runtime the next call
    /// removes the rest.
    @Test(arguments: obstacles) func isNeverReportedAsRemoved(_ obstacle: Obstacle) async throws {
        try await withLyingPod(knowsProcess: obstacle.knowsProcess) { pod in
            try pod.lie(obstacle.verb, obstacle.letters)
            for _ in 0..<2 {
                let report = try await pod.remove()
                #expect(report.outcome == .incomplete)
                #expect(report.failures.count == 1, "\(report.failures)")
                let detail = report.failures.first?.detail ?? ""
                #expect(detail.contains(obstacle.says), "\(detail)")
                #expect(try pod.isRegistered)
                #expect(try pod.orchestrator.registry.containers(of: pod.id).count == 1)
                if obstacle.leavesProcesses {
                    #expect(!pod.living.isEmpty)
                    #expect(pod.isUntouched)
                    if obstacle.knowsProcess { #expect(detail.contains("\(pod.living[0])"), "\(detail)") }
                }
            }
            if FileManager.default.fileExists(atPath: pod.state) {
                try pod.lie(obstacle.verb, "")
            } else {
                // What the runtime has lost, somebody has to end.
                try shell("kill -KILL \(pod.pids.map(String.init).joined(separator: " "))")
            }
            #expect(try await pod.remove().outcome == .removed)
            #expect(try pod.leftovers == [])
            #expect(try !pod.isRegistered)
        }
    }

    /// Lies that do no harm: what counts is what is there.
    @Test(arguments: [
        ("kill", "f"), ("kill", "h"), ("kill", "gk"), ("kill", "kf"), ("delete", "f"),
        ("delete", "h"), ("delete", "gd"), ("delete", "gkd"), ("state", "f"), ("state", "e"),
    ]) func isRemovedAllTheSame(_ verb: String, _ letters: String) async throws {
        try await withLyingPod { pod in
            try pod.lie(verb, letters)
            let report = try await pod.remove()
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(try pod.leftovers == [])
        }
    }

    /// The runtime says that the container has stopped, or that another process is its init: the cgroup says who lives.
    @Test(arguments: ["o", "w"]) func liesAboutTheProcess(_ letter: String) async throws {
        try await withLyingPod(knowsProcess: false) { pod in
            try pod.lie("state", letter)
            let report = try await pod.remove()
            if letter == "o" {
                #expect(report.outcome == .removed, "\(report.failures)")
                #expect(try pod.leftovers == [])
            } else {
                #expect(report.outcome == .incomplete)
                #expect(report.failures.first?.detail?.contains("process 1 ") == true, "\(report.failures)")
                #expect(NodeProcess(1).isAlive)
                #expect(pod.isUntouched)
            }
        }
    }

    /// A stop does not say "stopped" either.
    @Test(arguments: ["n", "nf", "nd", "H"]) func isNeverReportedAsStopped(_ letters: String) async throws {
        try await withLyingPod { pod in
            try pod.lie("kill", letters)
            let report = try await pod.stop()
            #expect(report.outcome == .incomplete)
            #expect(!pod.living.isEmpty)
            #expect(pod.isUntouched)
            #expect(try pod.orchestrator.registry.sandbox(pod.id)?.state == .ready)
        }
    }

    /// The runtime has lost its state while the container lives: which processes, and where, is told.
    @Test func stateIsLost() async throws {
        try await withLyingPod { pod in
            try FileManager.default.removeItem(atPath: pod.state)
            let report = try await pod.remove()
            #expect(report.outcome == .incomplete)
            let detail = try #require(report.failures.first?.detail)
            #expect(detail.contains("\(pod.pids[0]) (sleep") && detail.contains(pod.cgroup), "\(detail)")
            #expect(pod.living == pod.pids)
            #expect(pod.isUntouched)
            // The init is ended by hand, and the other process lives on.
            try shell("kill -KILL \(pod.pids[0])")
            let second = try await pod.remove()
            #expect(second.outcome == .incomplete)
            #expect(second.failures.first?.detail?.contains("\(pod.pids[1]) (sleep") == true, "\(second.failures)")
            #expect(pod.isUntouched)
            try shell("kill -KILL \(pod.pids[1])")
            #expect(try await pod.remove().outcome == .removed)
            #expect(try pod.leftovers == [])
        }
    }
}
