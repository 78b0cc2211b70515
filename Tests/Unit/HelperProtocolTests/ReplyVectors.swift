import HelperProtocol

/// Each outcome with each kind of facts, each form that facts can take, and each number of a rule, a call and a
/// malformed packet's reason.
enum ReplyVectors {
    static let all = combinations + forms + rules + calls + reasons

    private static let welcome = Welcome(
        version: 1, release: inline("0.1.0"), missing: 1 << 21 | 1 << 1,
        roots: [
            Welcome.Root(kind: .sandbox, minimumDepth: 1, maximumDepth: 2, path: inline("/run/sandboxes")),
            Welcome.Root(
                kind: .networkNamespace, minimumDepth: 1, maximumDepth: 1, path: inline("/run/netns"),
                names: inline("cni-* uuid")),
        ],
        runtimes: [Welcome.Runtime(name: inline("runc"), stateRoot: inline("/run/runc"), hooks: true)])

    private static let directory = DirectoryFacts(
        identity: RequestVectors.node,
        children: [
            DirectoryFacts.Child(type: 4, name: Array("rootfs".utf8)),
            DirectoryFacts.Child(type: 8, name: [0xff, 0x0a, 0x20]),
        ],
        next: 0x7fff_0102_0304_0506)

    private static let runtime = RuntimeFacts(
        status: 1, stateDirectory: RequestVectors.node, errorOutput: Array("container is running\n".utf8),
        output: .inline(Array("{}".utf8)))

    private static let facts: [(name: String, kind: Kind, facts: Facts)] = [
        ("none", .unmount, .none),
        ("welcome", .hello, .welcome(welcome)),
        ("mount", .unmount, .mount(RequestVectors.mount)),
        ("namespace", .deleteNamespace, .namespace(RequestVectors.node, mounted: true)),
        ("directory", .removeDirectory, .directory(directory)),
        ("count", .removeDirectory, .count(0x0102_0304_0506_0708)),
        ("runtime", .runtimeDelete, .runtime(runtime)),
    ]

    private static let outcomes: [(name: String, outcome: Outcome)] = [
        ("done", .done),
        ("alreadyDone", .alreadyDone),
        ("inProgress", .inProgress),
        ("refused", .refused(.mountBeneath, detail: Array("rootfs/proc".utf8))),
        ("malformed", .malformed(.badPlace)),
        ("failed", .failed(Failure(errno: 16, call: .umount, detail: Array("shm".utf8)))),
        ("timedOut", .timedOut),
        ("unsupported", .unsupported(VersionRange(minimum: 1, maximum: 0x0203))),
    ]

    private static let combinations = outcomes.flatMap { outcome in
        facts.map { vector("\(outcome.name)-\($0.name)", $0.kind, outcome.outcome, $0.facts) }
    }

    private static let forms = [
        vector("start-refused", .hello, .refused(.policyMalformed, detail: Array("line 3".utf8)), .none, id: 0),
        vector(
            "welcome-empty", .hello, .done,
            .welcome(
                Welcome(version: 1, release: InlineBytes(), missing: 0, roots: [], runtimes: []))),
        vector("welcome-full", .hello, .done, .welcome(fullWelcome)),
        vector("mount-reusable", .unmount, .done, .mount(MountIdentity(id: 0x2a, unique: false))),
        vector(
            "namespace-left-over", .deleteNamespace, .done,
            .namespace(NodeIdentity(device: 1, inode: 2, birth: 0), mounted: false)),
        vector(
            "directory-last-page", .removeDirectory, .done,
            .directory(DirectoryFacts(identity: RequestVectors.node, children: [], next: 0))),
        vector(
            "directory-longest-name", .removeDirectory, .done,
            .directory(
                DirectoryFacts(
                    identity: RequestVectors.node,
                    children: [DirectoryFacts.Child(type: 0, name: [UInt8](repeating: 0x6e, count: 255))], next: 0))),
        vector(
            "runtime-gone", .runtimeDelete, .done,
            .runtime(RuntimeFacts(status: 0, stateDirectory: nil, errorOutput: [], output: .inline([])))),
        vector(
            "runtime-killed", .runtimeState, .timedOut,
            .runtime(RuntimeFacts(status: -9, stateDirectory: nil, errorOutput: [], output: .inline([])))),
        vector(
            "runtime-memfd", .runtimeList, .done,
            .runtime(RuntimeFacts(status: 0, stateDirectory: nil, errorOutput: [], output: .memfd(bytes: 0x0012_3456)))),
        vector("state", .runtimeState, .done, .runtime(runtime)),
        vector("kill", .runtimeKill, .done, .runtime(runtime)),
    ]

    /// Those of version 1.
    private static let firstKinds = RootKind.allCases.filter { $0.exists(in: 1) }

    /// As many and as long as the limits allow; some 13,000 bytes.
    private static let fullWelcome = Welcome(
        version: 1, release: inline(String(repeating: "r", count: 32)), missing: .max,
        roots: (0..<Limits.roots).map { index in
            Welcome.Root(
                kind: firstKinds[index % firstKinds.count], minimumDepth: 1, maximumDepth: 16,
                path: inline("/" + String(repeating: "p", count: 254)), names: inline(String(repeating: "n", count: 64))
            )
        },
        runtimes: (0..<Limits.runtimes).map { _ in
            Welcome.Runtime(
                name: inline(String(repeating: "n", count: 64)),
                stateRoot: inline("/" + String(repeating: "s", count: 254)), hooks: false)
        })

    private static let rules = Rule.allCases.filter { !SecondVersionVectors.rules.contains($0) }.map {
        vector("refused-rule-\($0)", $0.rawValue < 100 ? .unmount : .hello, .refused($0, detail: []), .none)
    }
    private static let calls = Call.allCases.filter { !SecondVersionVectors.calls.contains($0) }.map {
        vector("failed-call-\($0)", .unmount, .failed(Failure(errno: 5, call: $0)), .none)
    }
    private static let reasons = Malformed.allCases.filter { ![.badCgroups, .badProcesses].contains($0) }.map {
        vector("malformed-reason-\($0)", .unmount, .malformed($0), .none)
    }

    private static func vector(
        _ name: String, _ kind: Kind, _ outcome: Outcome, _ facts: Facts, id: UInt64 = 0x1122_3344_5566_7788
    ) -> Vector<Reply> {
        Vector(
            name: "reply-\(name)", message: Reply(kind: kind, requestID: id, outcome: outcome, facts: facts))
    }
}
