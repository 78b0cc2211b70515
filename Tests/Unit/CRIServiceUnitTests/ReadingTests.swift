import Dispatch
import EventLoop
import Foundation
import HelperClient
import Logging
import SandboxRegistry
import SandboxRemoval
import Testing

@testable import CRIService

/// What gRPC's calls read, each kind on threads of its own.
@Suite struct ReadingTests {
    /// Calls for whom /proc or a filesystem does not answer: a removal finds its sandbox all the same.
    @Test func whatLooksAtTheNodeHoldsUpNoLookUp() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "podreap-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let registry = try Registry(path: directory.appending(path: "registry.sqlite").path())
        let orchestrator = Orchestrator(registry: registry, helpers: HelperPool(.program("/nonexistent")))
        let daemon = DaemonContext(orchestrator, ServiceLimits(), Logger(label: "test"))
        let answers = DispatchSemaphore(value: 0)
        let kinds = [DaemonContext.Reading.node, .explanation]
        let callers = kinds.flatMap { kind in
            (0..<20).map { _ in
                Task { try await daemon.read(kind) { _ throws(RemovalError) in answers.wait() } }
            }
        }
        let found = await within(.now + .seconds(20)) { try? await daemon.sandbox("unknown", .none) == nil }
        for _ in callers { answers.signal() }
        for caller in callers { try await caller.value }
        #expect(found == true)
    }
}
