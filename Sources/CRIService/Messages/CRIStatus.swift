internal import CRIMessages
internal import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval
internal import SwiftProtobuf

// Converts records to the messages that CRI clients see.

extension Orchestrator {
    func sandboxes() throws(RemovalError) -> [Sandbox] {
        do throws(RegistryError) { return try registry.sandboxes() } catch { throw .registry(error) }
    }

    func containers(of sandbox: Sandbox) throws(RemovalError) -> [Container] {
        do throws(RegistryError) { return try registry.containers(of: sandbox.id) } catch { throw .registry(error) }
    }

    /// The id that a list's filter names; nil if no sandbox has it, or if the text cannot be an id.
    func sandboxID(_ text: String) throws(RemovalError) -> String? {
        RecordRules.problem(id: text) == nil ? try resolve(text, .forLooking)?.id : nil
    }

    func containerID(_ text: String) throws(RemovalError) -> String? {
        RecordRules.problem(id: text) == nil ? try resolve(container: text, .forLooking)?.container.id : nil
    }
}

struct SandboxView: Encodable {
    let sandbox: Sandbox
    let containers: [Container]
    private let infraHasEnded: Bool

    private enum CodingKeys: CodingKey { case sandbox, containers }

    init(_ sandbox: Sandbox, _ orchestrator: Orchestrator) throws(RemovalError) {
        self.sandbox = sandbox
        containers = try orchestrator.containers(of: sandbox)
        let infra = containers.first(where: \.isInfra)
        infraHasEnded =
            if let infra { try orchestrator.observedState(of: infra, in: sandbox) == .exited } else { false }
    }

    /// Ready until the pod is stopped or its infra container, which holds its namespaces, has exited.
    var state: Runtime_V1_PodSandboxState {
        sandbox.state == .ready && !infraHasEnded ? .sandboxReady : .sandboxNotready
    }

    private var metadata: Runtime_V1_PodSandboxMetadata {
        .with {
            $0.name = sandbox.metadata.name
            $0.uid = sandbox.metadata.uid
            $0.namespace = sandbox.metadata.namespace
            $0.attempt = sandbox.metadata.attempt
        }
    }

    var item: Runtime_V1_PodSandbox {
        .with {
            $0.id = sandbox.id
            $0.metadata = metadata
            $0.state = state
            $0.createdAt = sandbox.createdAt.nanoseconds
            $0.labels = sandbox.labels
            $0.annotations = sandbox.annotations
            $0.runtimeHandler = sandbox.runtime
        }
    }

    var status: Runtime_V1_PodSandboxStatus {
        .with {
            $0.id = sandbox.id
            $0.metadata = metadata
            $0.state = state
            $0.createdAt = sandbox.createdAt.nanoseconds
            $0.network = Runtime_V1_PodSandboxNetworkStatus()
            // A network namespace that is not pinned may still be the pod's own, held by its infra container.
            let isHostNetwork = !sandbox.namespaces.contains { $0.kind == .network } && sandbox.usesHostShm
            $0.linux.namespaces.options.network = isHostNetwork ? .node : .pod
            $0.linux.namespaces.options.ipc = sandbox.usesHostShm ? .node : .pod
            $0.labels = sandbox.labels
            $0.annotations = sandbox.annotations
            $0.runtimeHandler = sandbox.runtime
        }
    }
}

struct ContainerView {
    let container: Container
    let state: ContainerState

    var criState: Runtime_V1_ContainerState {
        switch state {
        case .created: .containerCreated
        case .running: .containerRunning
        case .exited: .containerExited
        case .unknown: .containerUnknown
        }
    }

    private var metadata: Runtime_V1_ContainerMetadata {
        .with {
            $0.name = container.name
            $0.attempt = container.attempt
        }
    }

    var item: Runtime_V1_Container {
        .with {
            $0.id = container.id
            $0.podSandboxID = container.sandboxID
            $0.metadata = metadata
            $0.image.image = container.image
            $0.imageRef = container.image
            $0.state = criState
            $0.createdAt = container.createdAt.nanoseconds
            $0.labels = container.labels
            $0.annotations = container.annotations
        }
    }

    var status: Runtime_V1_ContainerStatus {
        .with {
            $0.id = container.id
            $0.metadata = metadata
            $0.state = criState
            $0.createdAt = container.createdAt.nanoseconds
            // The registry does not know when the container was started, only when it was created.
            if state != .created { $0.startedAt = container.createdAt.nanoseconds }
            if state == .exited {
                $0.finishedAt = Date().nanoseconds
                $0.exitCode = 137
                $0.reason = "ContainerStatusUnknown"
                $0.message = "podreap did not start this container: it sees that it has ended, not when and how"
            }
            $0.image.image = container.image
            $0.imageRef = container.image
            $0.labels = container.labels
            $0.annotations = container.annotations
        }
    }
}

extension Date {
    /// Nanoseconds since 1970, rounded to microseconds, which is what the registry keeps.
    var nanoseconds: Int64 { Int64((timeIntervalSince1970 * 1_000_000).rounded()) * 1000 }

    init(nanoseconds: Int64) { self.init(timeIntervalSince1970: Double(nanoseconds / 1000) / 1_000_000) }
}

extension [String: String] {
    /// Whether these labels include all labels of a selector.
    func match(_ selector: [String: String]) -> Bool { selector.allSatisfy { self[$0.key] == $0.value } }
}

/// Encodes a value as one JSON object on one line.
func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
}
