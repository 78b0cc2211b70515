import HelperProtocol

/// What version 3 has added: roots of user namespaces, and the bundle of a container.
enum ThirdVersionVectors {
    static let requests: [Vector<RequestPacket>] = [
        Vector(
            name: "v3-request-hello",
            message: RequestPacket(id: 0x1122_3344_5566_7788, deadline: 30_000, request: .hello(.spoken)), version: 1)
    ]

    static let replies: [Vector<Reply>] = [
        Vector(
            name: "v3-reply-done-welcome",
            message: Reply(
                kind: .hello, requestID: 0x1122_3344_5566_7788, outcome: .done, facts: .welcome(welcome)), version: 3),
        Vector(
            name: "v3-reply-done-container",
            message: Reply(
                kind: .runtimeKill, requestID: 0x1122_3344_5566_7788, outcome: .done, facts: .container(container)),
            version: 3),
    ]

    private static let container: ContainerFacts = {
        var facts = SecondVersionVectors.runc
        facts.bundle = Array("/run/containers/storage/overlay-containers/1/userdata".utf8)
        return facts
    }()

    static let welcome = Welcome(
        version: 3, release: inline("0.2.0"), missing: 0,
        roots: [
            Welcome.Root(
                kind: .networkNamespace, minimumDepth: 1, maximumDepth: 1, path: inline("/run/netns"),
                names: inline("cni-* uuid")),
            Welcome.Root(
                kind: .userNamespace, minimumDepth: 1, maximumDepth: 1, path: inline("/run/userns"),
                names: inline("uuid")),
        ],
        runtimes: [])
}
