import Foundation
import SandboxRegistry
import SandboxRemoval
import TestNode
import Testing

/// A runtime's exit status and words are never believed, whatever it says through the real helper.
@Suite(.serialized) struct LyingRuntimeTests {
    /// A lie that keeps the sandbox from being removed, and what the failed step says.
    struct Obstacle: CustomTestStringConvertible, Sendable {
        var letters: String
        var says: String
        var testDescription: String { "delete \(letters)" }
    }

    static let obstacles = [
        Obstacle(letters: "n", says: "its state is still there"),
        Obstacle(letters: "nf", says: "exited with status 1"),
        Obstacle(letters: "H", says: "not done in time"),
        Obstacle(letters: "s", says: "signal 11"),
    ]

    /// It is told what is wrong, and with an honest runtime the next call removes the rest.
    @Test(arguments: obstacles) func isNeverReportedAsRemoved(_ obstacle: Obstacle) async throws {
        try await withLyingPod { pod in
            try pod.lie("delete", obstacle.letters)
            for _ in 0..<2 {
                let report = try await pod.remove()
                #expect(report.outcome == .incomplete)
                #expect(report.failures.count == 1, "\(report.failures)")
                let detail = report.failures.first?.detail ?? ""
                #expect(detail.contains(obstacle.says), "\(detail)")
                #expect(try pod.isRegistered)
                #expect(try pod.orchestrator.registry.containers(of: pod.id).count == 1)
            }
            try pod.lie("delete", "")
            #expect(try await pod.remove().outcome == .removed)
            #expect(try pod.leftovers == [])
            #expect(try !pod.isRegistered)
        }
    }

    /// Lies that do no harm: what counts is what is there, and who lives is ended without the runtime.
    @Test(arguments: [
        ("kill", "n"), ("kill", "nf"), ("kill", "H"), ("kill", "s"), ("kill", "e"), ("kill", "nd"), ("kill", "ndf"),
        ("kill", "f"), ("kill", "h"), ("kill", "gk"), ("kill", "kf"), ("delete", "f"), ("delete", "h"),
        ("delete", "gd"),
        ("delete", "gkd"), ("delete", "1"), ("state", "f"), ("state", "e"), ("state", "g"), ("state", "n"),
        ("state", "nf"),
        ("state", "H"),
        ("state", "o"), ("state", "w"),
    ]) func isRemovedAllTheSame(_ verb: String, _ letters: String) async throws {
        try await withLyingPod { pod in
            try pod.lie(verb, letters)
            let report = try await pod.remove()
            #expect(report.outcome == .removed, "\(report.failures)")
            #expect(try pod.leftovers == [])
            #expect(NodeProcess(1).isAlive)
        }
    }

    /// A stop does not believe it either.
    @Test(arguments: ["n", "nf", "nd", "H"]) func isNeverReportedAsStoppedWhileItLives(_ letters: String) async throws {
        try await withLyingPod { pod in
            try pod.lie("kill", letters)
            let report = try await pod.stop()
            #expect(report.outcome == .stopped, "\(report.failures)")
            #expect(pod.living.isEmpty)
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
