internal import GRPCCore

/// The CRI methods that podreap does not implement. Each is answered UNIMPLEMENTED with a message that says what to
/// call instead; the request is not decoded.
struct UnimplementedMethods: RegistrableRPCService {
    private static let makes = "podreap stops and removes pods; it makes none. Call the runtime that makes them"
    private static let measures = "podreap measures nothing. Call the runtime that made the pod, or read its cgroups"
    private static let talks = "podreap does not talk to containers. Call the runtime that made this one"
    private static let lists = "podreap streams no lists. Call the method that answers with the whole list"
    private static let images = "podreap has no images. Call the image service of the runtime that made the pods"

    private static let runtime: [(methods: [String], answer: String)] = [
        (["RunPodSandbox", "CreateContainer", "StartContainer"], makes),
        (
            ["UpdateContainerResources", "UpdatePodSandboxResources", "CheckpointContainer", "UpdateRuntimeConfig"],
            "podreap changes no running container. Call the runtime that made it"
        ),
        (["ReopenContainerLog", "ExecSync", "Exec", "Attach", "PortForward"], talks),
        (
            [
                "ContainerStats", "ListContainerStats", "PodSandboxStats", "ListPodSandboxStats",
                "StreamContainerStats", "StreamPodSandboxStats", "ListMetricDescriptors", "ListPodSandboxMetrics",
                "StreamPodSandboxMetrics",
            ], measures
        ),
        (["StreamPodSandboxes", "StreamContainers"], lists),
        (["GetContainerEvents"], "podreap starts no container, so it has no events. Poll ListContainers"),
        (["RuntimeConfig"], "podreap has no cgroup driver. Ask the runtime that makes the pods"),
    ]
    private static let image = ["ListImages", "StreamImages", "ImageStatus", "PullImage", "RemoveImage", "ImageFsInfo"]

    func registerMethods(with router: inout RPCRouter<some ServerTransport>) {
        for (methods, answer) in Self.runtime {
            for method in methods { refuse("runtime.v1.RuntimeService", method, answer, &router) }
        }
        for method in Self.image { refuse("runtime.v1.ImageService", method, Self.images, &router) }
    }

    private func refuse(
        _ service: String, _ method: String, _ answer: String, _ router: inout RPCRouter<some ServerTransport>
    ) {
        router.registerHandler(
            forMethod: MethodDescriptor(fullyQualifiedService: service, method: method),
            deserializer: Unread(), serializer: Unread()
        ) { _, _ -> StreamingServerResponse<Unread.Nothing> in
            throw RPCError(code: .unimplemented, message: "\(method): \(answer)")
        }
    }
}

/// Ignores the content of a message.
private struct Unread: MessageSerializer, MessageDeserializer {
    struct Nothing: Sendable {}

    func serialize<Bytes: GRPCContiguousBytes>(_ message: Nothing) -> Bytes { Bytes(repeating: 0, count: 0) }
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> Nothing { Nothing() }
}
