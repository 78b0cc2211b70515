internal import TestNode

/// podreap installed as a distribution would, but where nobody else sees it: the helper with its file capabilities, its
/// policy at the fixed place, and a registry that belongs to an unprivileged user.
///
/// It lives in a tmpfs over `/mnt` and an overlay over `/etc`, in the mount namespace of this process only, and goes
/// with it.
public struct SampleInstallation: Sendable {
    /// The unprivileged user's uid, and gid. No account needs to have it.
    public static let user = TestNode.caller

    public let node: SampleNode
    /// The installed helper.
    public let helper = TestNode.helper
    /// The directory of the registry, and the registry's file.
    public let library = "/mnt/lib"
    public let registry = "/mnt/lib/registry.sqlite"
    /// `podreap`, where that user can start it.
    private let program = "/mnt/podreap"

    /// For root in a mount namespace of its own, once in a process.
    ///
    /// - Parameters:
    ///   - helper: The helper as it was built.
    ///   - program: The `podreap` to run.
    public init(helper: String, program: String) throws {
        try requirePrivateMounts()
        guard Entry.exists(helper) else {
            throw SampleError.program(command: helper, reason: "there is no such helper; build it with `make helper`")
        }
        try TestNode.cover()
        try shell(
            """
            mkdir \(library) && chown \(Self.user):\(Self.user) \(library)
            touch \(self.program) && mount --bind '\(try resolved(program))' \(self.program)
            """)
        try TestNode.install(from: try resolved(helper), to: self.helper)
        node = try SampleNode(base: "/mnt/node")
        try node.makeCgroupRoots()
        try write(node.helperConf(caller: "\(Self.user)"), to: "/etc/podreap/helper.conf")
    }

    /// Runs `podreap` with these arguments as the unprivileged user, with this process's terminal; its exit status.
    public func run(_ arguments: [String]) throws -> Int32 {
        var start = ProgramStart(command(arguments), environment: ProgramStart.ownEnvironment())
        start.output = .shared
        return switch try Program(start).wait(seconds: 600) {
        case .exited(let status): status
        case .signalled(let signal): 128 + signal
        case nil: throw SampleError.program(command: "podreap", reason: "it does not end")
        }
    }

    /// The whole command that runs `podreap`, or another program, as the unprivileged user.
    public func command(program: String? = nil, _ arguments: [String]) -> [String] {
        let user = "\(Self.user)"
        return [
            "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "env", "PODREAP_REGISTRY=\(registry)",
            "PODREAP_HELPER=\(helper)", program ?? self.program,
        ] + arguments
    }

    /// Writes a document where the unprivileged user can read it; its path.
    public func place(_ document: String, as name: String) throws(SampleError) -> String {
        let path = "\(library)/\(name)"
        try write(document, to: path)
        return path
    }
}
