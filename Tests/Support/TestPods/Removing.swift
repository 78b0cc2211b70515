internal import Foundation
public import SamplePod
public import SandboxRegistry
public import SandboxRemoval
internal import Synchronization
internal import TestNode

extension PodNode {
    /// The library in this process, as root, with a registry of its own.
    public func orchestrator() throws -> Orchestrator {
        try Orchestrator(path: "\(Self.rootLibrary)/root.sqlite", helper: TestNode.helper)
    }
}

extension SamplePod {
    /// What `register` takes.
    public func document() throws -> RegistrationDocument { try RegistrationDocument(json: Data(registration.utf8)) }

    /// The same pod when it runs no more: its names and ids are registered, and nothing is looked for.
    public func documentWithoutProcesses() throws -> RegistrationDocument {
        var document = try document()
        for index in document.containers.indices { document.containers[index].process = nil }
        return document
    }
}

extension Orchestrator {
    @discardableResult
    public func register(_ pod: SamplePod) async throws -> Registration { try await register(try pod.document()) }

    /// Removes and gives the report of what this call has done itself, or waited for.
    public func removed(
        _ id: String, options: RemovalOptions = RemovalOptions(),
        tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws -> RemovalReport { try await remove(id, options: options, tell: tell).report() }

    public func stopped(
        _ id: String, grace: Duration = .seconds(10), tell: @escaping @Sendable (RemovalEvent) -> Void = { _ in }
    ) async throws -> RemovalReport { try await stop(id, grace: grace, tell: tell).report() }
}

extension RemovalAnswer {
    /// Throws where no sandbox had that id.
    public func report() throws -> RemovalReport {
        guard case .finished(let report, _) = self else { throw PodNodeFailure("\(self)") }
        return report
    }

    public var isJoined: Bool {
        if case .finished(_, let joined) = self { joined } else { false }
    }

    public var isUnknown: Bool {
        if case .unknown = self { true } else { false }
    }
}

/// The events of a removal, in the order in which they came.
public final class Events: Sendable {
    private let list = Mutex<[RemovalEvent]>([])
    public init() {}

    public var all: [RemovalEvent] { list.withLock { $0 } }

    public func tell(_ event: RemovalEvent) { list.withLock { $0.append(event) } }

    /// The index of the first event that `body` is true for.
    public func first(where body: (RemovalEvent) -> Bool) -> Int? { all.firstIndex(where: body) }
}
