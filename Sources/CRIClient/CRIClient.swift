internal import CRIMessages
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
public import SandboxRemoval
internal import SwiftProtobuf

/// Asks a runtime through CRI (runtime.v1) at its Unix socket, which gives the power of root over its pods.
public struct CRIClient: Sendable {
    public let socket: String

    public init(socket: String) { self.socket = socket }

    /// Every pod that the runtime lists, with its containers.
    ///
    /// - Parameter time: How long the whole may take.
    public func pods(within time: Duration) async throws(CRIError) -> [CRIPod] {
        try await connected { client in
            let pods: Runtime_V1_ListPodSandboxResponse = try await Self.ask(
                client, Method.ListPodSandbox.descriptor, Runtime_V1_ListPodSandboxRequest(), time)
            let containers: Runtime_V1_ListContainersResponse = try await Self.ask(
                client, Method.ListContainers.descriptor, Runtime_V1_ListContainersRequest(), time)
            let byPod = Dictionary(grouping: containers.containers, by: \.podSandboxID)
            return pods.items.map { CRIPod($0, byPod[$0.id, default: []]) }
        }
    }

    /// StopPodSandbox: ends the containers and takes the network away.
    public func stop(pod id: String, within time: Duration) async throws(CRIError) {
        try await connected { client in
            let _: Runtime_V1_StopPodSandboxResponse = try await Self.ask(
                client, Method.StopPodSandbox.descriptor,
                Runtime_V1_StopPodSandboxRequest.with { $0.podSandboxID = id }, time)
        }
    }

    /// RemovePodSandbox: removes the pod with its containers.
    public func remove(pod id: String, within time: Duration) async throws(CRIError) {
        try await connected { client in
            let _: Runtime_V1_RemovePodSandboxResponse = try await Self.ask(
                client, Method.RemovePodSandbox.descriptor,
                Runtime_V1_RemovePodSandboxRequest.with { $0.podSandboxID = id }, time)
        }
    }

    private typealias Method = Runtime_V1_RuntimeService.Method
    private typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    private func connected<Value: Sendable>(
        _ body: @Sendable (Client) async throws -> Value
    ) async throws(CRIError) -> Value {
        do {
            // The name of the server is of no meaning on a Unix socket, but Go's servers refuse a path.
            let transport = try HTTP2ClientTransport.Posix(
                target: .unixDomainSocket(path: socket, authority: "localhost"), transportSecurity: .plaintext)
            return try await withGRPCClient(transport: transport) { client in try await body(client) }
        } catch let error as RPCError {
            throw CRIError(error)
        } catch {
            throw CRIError(code: "UNKNOWN", text: "\(error)")
        }
    }

    private static func ask<Request: SwiftProtobuf.Message, Answer: SwiftProtobuf.Message>(
        _ client: Client, _ method: MethodDescriptor, _ request: Request, _ time: Duration
    ) async throws -> Answer {
        var options = CallOptions.defaults
        options.timeout = time
        options.waitForReady = false
        return try await client.unary(
            request: ClientRequest(message: request), descriptor: method, serializer: ProtobufSerializer<Request>(),
            deserializer: ProtobufDeserializer<Answer>(), options: options
        ) { try $0.message }
    }
}

/// What a runtime answered instead, or why it did not answer.
public struct CRIError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A code of gRPC's, such as `DEADLINE_EXCEEDED`.
    public var code: String
    public var text: String

    public var description: String { text.isEmpty ? code : "\(code): \(text)" }
}

extension CRIError {
    fileprivate init(_ error: RPCError) {
        code = "\(error.code)".map { $0.isUppercase ? "_\($0)" : $0.uppercased() }.joined()
        text = error.message
    }
}

extension CRIPod {
    fileprivate init(_ pod: Runtime_V1_PodSandbox, _ containers: [Runtime_V1_Container]) {
        self.init(
            id: pod.id, name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid,
            attempt: pod.metadata.attempt, isReady: pod.state == .sandboxReady,
            containers: containers.map { container in
                let state =
                    switch container.state {
                    case .containerCreated: "created"
                    case .containerRunning: "running"
                    case .containerExited: "exited"
                    default: "unknown"
                    }
                return Container(id: container.id, name: container.metadata.name, state: state)
            })
    }
}
