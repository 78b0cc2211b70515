import HelperProtocol

/// What version 2 has added: each new request and form of facts, and its header on what is old.
enum SecondVersionVectors {
    private static let node = RequestVectors.node
    private static let cgroup = NodeIdentity(device: 0x1a, inode: 0x0102_0304, birth: 0)

    /// Numbers that version 1 does not have.
    static let rules: [Rule] = [.notCgroup, .cgroupNotContainers, .containerLives, .cgroupShared]
    static let calls: [Call] = [.signal, .write]

    static let requests: [Vector<RequestPacket>] = [
        request("hello", .hello(VersionRange(minimum: 1, maximum: 2)), version: 1),
        request("unmount-look", .unmount(RequestVectors.sandbox, .look)),
        request("unmount-beneath", .unmountBeneath(RequestVectors.sandbox, only: nil, most: 4096)),
        request(
            "unmount-beneath-identity",
            .unmountBeneath(RequestVectors.sandbox, only: node, most: Limits.sliceEntries)),
        request("kill-act-all", .runtimeKill(RequestVectors.target, .act(only: nil), signal: 64, all: true)),
        request(
            "kill-cgroups",
            .runtimeKillCgroups(
                RequestVectors.target, .act(only: node), signal: 9,
                [
                    CgroupTarget(
                        place: RequestVectors.place(5, "pod", "crio-1"), identity: cgroup, isExclusive: true),
                    CgroupTarget(place: RequestVectors.place(6, "pod"), identity: cgroup, isExclusive: false),
                ])),
        request(
            "kill-cgroups-look",
            .runtimeKillCgroups(
                RequestVectors.target, .look, signal: 15,
                [CgroupTarget(place: RequestVectors.place(5, "pod"), identity: cgroup, isExclusive: true)])),
        request(
            "kill-cgroups-most",
            .runtimeKillCgroups(
                RequestVectors.target, .act(only: nil), signal: 1,
                (0..<Limits.cgroupTargets).map {
                    CgroupTarget(
                        place: RequestVectors.place(UInt8($0), String(repeating: "c", count: 200)), identity: cgroup,
                        isExclusive: $0 % 2 == 0)
                })),
        request(
            "kill-processes",
            .runtimeKillProcesses(
                RequestVectors.target, .act(only: node), signal: 9,
                ProcessTargets(
                    place: RequestVectors.place(5, "pod", "crio-1"), identity: cgroup,
                    processes: [
                        ProcessIdentity(pid: 4242, startTime: 0x0102_0304_0506),
                        ProcessIdentity(pid: UInt32(Int32.max), startTime: .max),
                    ]))),
        request(
            "kill-processes-most",
            .runtimeKillProcesses(
                RequestVectors.target, .look, signal: 64,
                ProcessTargets(
                    place: RequestVectors.place(6, "pod"), identity: cgroup,
                    processes: (1...Limits.cgroupProcesses).map { ProcessIdentity(pid: UInt32($0), startTime: 0) }))),
        request("delete-act", .runtimeDelete(RequestVectors.target, .act(only: nil))),
        request("forget", .runtimeForget(RequestVectors.target, only: node)),
    ]

    static let replies: [Vector<Reply>] =
        forms + rules.map { reply("refused-rule-\($0)", .runtimeKill, outcome: .refused($0, detail: [0x63])) }
        + calls.map { reply("failed-call-\($0)", .runtimeKill, outcome: .failed(Failure(errno: 5, call: $0))) }

    private static let forms: [Vector<Reply>] = [
        reply("done-welcome", .hello, .welcome(welcome)),
        reply("done-welcome-full", .hello, .welcome(fullWelcome)),
        reply("done-mount", .unmount, .mountPoint(RequestVectors.mount, covers: cgroup)),
        reply("done-container-runc", .runtimeKill, .container(runc)),
        reply("done-container-crun", .runtimeKill, .container(crun)),
        reply("done-container-absent", .runtimeDelete, .container(ContainerFacts(directory: node, state: .absent))),
        reply(
            "done-container-not-understood", .runtimeDelete,
            .container(ContainerFacts(directory: node, state: .notUnderstood))),
        reply("done-count", .runtimeKill, .count(3)),
        reply("in-progress", .unmount, outcome: .inProgress, .count(4096)),
        reply("malformed-reason-badCgroups", .hello, outcome: .malformed(.badCgroups)),
        reply("malformed-reason-badProcesses", .hello, outcome: .malformed(.badProcesses)),
    ]

    private static let welcome = Welcome(
        version: 2, release: inline("0.2.0"), missing: 0,
        roots: [
            Welcome.Root(kind: .sandbox, minimumDepth: 1, maximumDepth: 2, path: inline("/run/sandboxes")),
            Welcome.Root(
                kind: .cgroup, minimumDepth: 2, maximumDepth: 3, path: inline("/sys/fs/cgroup/kubepods.slice"),
                mayKill: true),
        ],
        runtimes: [Welcome.Runtime(name: inline("runc"), stateRoot: inline("/run/runc"), hooks: true)],
        features: 0x8000_0000_0000_0001)

    private static let fullWelcome = Welcome(
        version: 2, release: inline(String(repeating: "r", count: 32)), missing: .max,
        roots: (0..<Limits.roots).map { _ in
            Welcome.Root(
                kind: .cgroup, minimumDepth: 1, maximumDepth: 16,
                path: inline("/" + String(repeating: "p", count: 254)),
                names: inline(String(repeating: "n", count: 64)), mayKill: true)
        },
        runtimes: (0..<Limits.runtimes).map { _ in
            Welcome.Runtime(
                name: inline(String(repeating: "n", count: 64)),
                stateRoot: inline("/" + String(repeating: "s", count: 254)), hooks: false)
        }, features: .max)

    static let runc: ContainerFacts = {
        var facts = ContainerFacts(directory: node, state: .runc)
        (facts.pid, facts.startTime) = (4242, 0x0102_0304_0506)
        facts.cgroups = [
            ContainerFacts.Cgroup(
                controller: Array("memory".utf8), path: Array("/sys/fs/cgroup/memory/kubepods/crio-1".utf8)),
            ContainerFacts.Cgroup(
                controller: Array("name=systemd".utf8), path: Array("/sys/fs/cgroup/systemd/kubepods/crio-1".utf8)),
            ContainerFacts.Cgroup(controller: [], path: Array("/sys/fs/cgroup/unified/kubepods/crio-1".utf8)),
        ]
        return facts
    }()

    private static let crun: ContainerFacts = {
        var facts = ContainerFacts(directory: node, state: .crun)
        (facts.pid, facts.startTime) = (4242, 17)
        facts.cgroups = [ContainerFacts.Cgroup(controller: [], path: Array("/system.slice/crun-1.scope".utf8))]
        facts.scope = Array("crun-1.scope".utf8)
        return facts
    }()

    private static func request(_ name: String, _ request: Request, version: UInt16 = 2) -> Vector<RequestPacket> {
        Vector(
            name: "v2-request-\(name)",
            message: RequestPacket(id: 0x1122_3344_5566_7788, deadline: 30_000, request: request), version: version)
    }

    private static func reply(
        _ name: String, _ kind: Kind, outcome: Outcome = .done, _ facts: Facts = .none
    ) -> Vector<Reply> {
        Vector(
            name: "v2-reply-\(name)",
            message: Reply(kind: kind, requestID: 0x1122_3344_5566_7788, outcome: outcome, facts: facts), version: 2)
    }
}
