import Foundation
import HelperClient
import SandboxRegistry
import SandboxRemoval
import Testing

/// What an orchestrator answers before a helper has done anything.
@Suite struct OrchestratorTests {
    private let place = TemporaryDirectory()
    private let orchestrator: Orchestrator

    init() throws {
        orchestrator = try Orchestrator(path: place.path + "/registry.sqlite", helper: "/nonexistent/podreap-helper")
    }

    private func register() throws { try orchestrator.registry.register(Records.sandbox(), [Records.infra]) }

    @Test func anUnknownSandboxIsNoError() async throws {
        guard case .unknown(let id, let last) = try await orchestrator.remove("nope") else {
            Issue.record("a sandbox that nobody registered was removed")
            return
        }
        #expect(id == "nope" && last == nil)
        #expect(try orchestrator.plan("nope") == nil)
    }

    @Test func whatHappenedToItBefore() async throws {
        for id in ["gone", "gone-2", "other", "another"] {
            try orchestrator.registry.keepReport(
                StoredReport(
                    sandboxID: id, podName: "web-\(id)_default_u_0", startedAt: Date(), duration: .seconds(1),
                    outcome: "removed", body: Data()))
        }
        guard case .unknown(_, nil) = try await orchestrator.stop("go") else {
            Issue.record("what happened to another is told")
            return
        }
        guard case .unknown(_, let last) = try await orchestrator.stop("gone") else {
            Issue.record("a sandbox that is gone was stopped")
            return
        }
        #expect(last?.sandboxID == "gone", "its own last report, not the last of all")
    }

    @Test(arguments: ["", "-x", "../p", "a/b", "p\u{0}", "ä", String(repeating: "a", count: 4096)])
    func idsThatCannotBe(_ id: String) async {
        let error = await #expect(throws: RemovalError.self) { try await orchestrator.remove(id) }
        guard case .registry(.invalidID) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func withoutAHelperNothingIsChanged() async throws {
        try register()
        let error = await #expect(throws: RemovalError.self) { try await orchestrator.remove("p") }
        guard case .helper(.missing("/nonexistent/podreap-helper")) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try orchestrator.registry.sandbox("p")?.state == .ready)
        #expect(try orchestrator.registry.containers(of: "p").count == 1)
        #expect(try orchestrator.registry.reports(limit: 1).isEmpty)
    }

    /// The library's calls take whole ids; what a person types is resolved apart.
    @Test func aBeginningIsNoID() async throws {
        var sandbox = Records.sandbox()
        sandbox.id = "pod-10"
        var container = Records.container("c12")
        container.sandboxID = sandbox.id
        try orchestrator.registry.register(sandbox, [container])
        for id in ["pod-1", "p"] {
            guard case .unknown = try await orchestrator.remove(id), case .unknown = try await orchestrator.stop(id)
            else {
                Issue.record("\(id) was taken for pod-10")
                return
            }
            #expect(try orchestrator.plan(id) == nil)
            #expect(try orchestrator.resolve(id)?.id == "pod-10")
            #expect(try orchestrator.resolve(id, .forActing) == nil)
        }
        guard case .unknown = try await orchestrator.remove(container: "c1"),
            case .unknown = try await orchestrator.stop(container: "c1", grace: .zero)
        else {
            Issue.record("c1 was taken for c12")
            return
        }
        #expect(try orchestrator.find(container: "c1") == nil)
        #expect(try orchestrator.resolve(container: "c1")?.container.id == "c12")
        let error = await #expect(throws: RemovalError.self) { try await orchestrator.register([], into: "pod-1") }
        guard case .registry(.unknownSandbox("pod-1")) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aPlanNeedsNoHelper() throws {
        try register()
        let plan = try #require(try orchestrator.plan("p"))
        // The record is of another boot, so nothing of it can live.
        #expect(plan.isAfterReboot)
        #expect(plan.steps.last?.verb == "forget")
    }

    /// Seconds for the whole and milliseconds for steps, as 0.1.0 wrote them. A number that no removal took is read,
    /// too.
    @Test func timesInReportsAreNumbers() throws {
        let text =
            #"{"duration":0.25,"outcome":"removed","pod":"web","purpose":"remove","sandbox":"p","#
            + #""startedAt":"1970-01-01T00:00:10Z","steps":[{"duration":1.5,"number":0,"outcome":"done","start":0.5,"#
            + #""subject":"a","target":"7","verb":"end"}],"warnings":[]}"#
        func read(_ text: String) throws -> RemovalReport {
            try #require(
                RemovalReport(
                    StoredReport(
                        sandboxID: "p", podName: "web", startedAt: Date(), duration: .zero, outcome: "removed",
                        body: Data(text.utf8))))
        }
        let report = try read(text)
        #expect(report.steps.map(\.duration) == [.microseconds(1500)])
        #expect(String(decoding: report.json(), as: UTF8.self) == text)
        for number in ["1e300", "-1e300"] {
            _ = try read(text.replacingOccurrences(of: "0.25", with: number))
        }
    }

    @Test func reportsReadBack() throws {
        let stored = StoredReport(
            sandboxID: "p", podName: "web", startedAt: Date(timeIntervalSince1970: 10), duration: .seconds(2),
            outcome: "incomplete",
            body: Data(
                """
                {"purpose":"remove","sandbox":"p","pod":"web","startedAt":"1970-01-01T00:00:10Z","duration":2,\
                "outcome":"incomplete","warnings":[],"steps":[{"number":0,"verb":"end","subject":"a","target":"7",\
                "outcome":"failed","detail":"why","start":0.5,"duration":1.5}]}
                """.utf8))
        let report = try #require(RemovalReport(stored))
        #expect(report.failures.map(\.target) == ["7"])
        #expect(report.failures.first?.detail == "why")
        #expect(report.failures.first?.start == .microseconds(500))
        #expect(report.duration == .seconds(2))
        #expect(RemovalReport(report.stored) == report)
        #expect(
            RemovalReport(
                StoredReport(
                    sandboxID: "p", podName: "web", startedAt: Date(), duration: .seconds(0), outcome: "removed",
                    body: Data()))
                == nil)
    }
}
