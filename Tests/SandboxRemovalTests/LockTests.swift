import Foundation
import Testing

@testable import SandboxRemoval

extension SandboxLock {
    /// At once or later, as a removal does.
    static func take(
        _ sandbox: String, registry: String, timeout: Duration, waiting: () -> Void
    ) async throws(RemovalError) -> SandboxLock {
        switch try attempt(sandbox, registry: registry) {
        case .success(let lock): return lock
        case .failure(let other):
            waiting()
            return try await wait(for: other, of: sandbox, timeout: timeout)
        }
    }
}

@Suite struct LockTests {
    private let place = TemporaryDirectory()
    private var registry: String { place.path + "/registry.sqlite" }

    private func take(
        _ id: String = "p", timeout: Duration = .seconds(5), waiting: () -> Void = {}
    ) async throws(RemovalError) -> SandboxLock {
        try await SandboxLock.take(id, registry: registry, timeout: timeout, waiting: waiting)
    }

    @Test func aFileOfItsOwnThatIsGoneAfterwards() async throws {
        let lock = try await take()
        #expect(!lock.hadToWait)
        #expect(FileManager.default.fileExists(atPath: registry + ".locks/p"))
        lock.release()
        #expect(!FileManager.default.fileExists(atPath: registry + ".locks/p"))
        #expect(try await !take().hadToWait)
    }

    @Test func sandboxesDoNotWaitForEachOther() async throws {
        let first = try await take("a")
        let second = try await take("b")
        #expect(!second.hadToWait)
        first.release()
        second.release()
    }

    /// More waiters than the pool that runs tasks has threads.
    @Test func oneAtATime() async throws {
        let room = Room()
        let registry = registry
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    let lock = try await SandboxLock.take("p", registry: registry, timeout: .seconds(30)) {}
                    await room.enter()
                    try await Task.sleep(for: .milliseconds(5))
                    await room.leave()
                    lock.release()
                }
            }
            try await group.waitForAll()
        }
        #expect(await room.most == 1)
    }

    @Test func waitingEndsWithTheHolder() async throws {
        let first = try await take()
        let room = Room()
        let registry = registry
        async let second = SandboxLock.take("p", registry: registry, timeout: .seconds(5)) {
            Task { await room.enter() }
        }
        while await room.most == 0 { await Task.yield() }
        first.release()
        #expect(try await second.hadToWait)
    }

    @Test func waitingHasADeadline() async throws {
        let first = try await take()
        await #expect(throws: RemovalError.self) { try await take(timeout: .milliseconds(50)) }
        first.release()
    }
}

/// How many were in it at once.
private actor Room {
    private var inside = 0
    private(set) var most = 0

    func enter() {
        inside += 1
        most = max(most, inside)
    }

    func leave() { inside -= 1 }
}

/// A directory that goes with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("podreap-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
