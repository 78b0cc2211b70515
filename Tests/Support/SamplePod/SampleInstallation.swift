/// podreap installed as a distribution would, but where nobody else sees it: the helper with its file capabilities, its
/// policy at the fixed place, and a registry that belongs to an unprivileged user.
///
/// It lives in a tmpfs over `/mnt` and an overlay over `/etc`, in the mount namespace of this process only, and goes
/// with it.
public struct SampleInstallation: Sendable {
    /// The unprivileged user's uid, and gid. No account needs to have it.
    public static let user: UInt32 = 61234
    /// What `setcap` gives the helper's file.
    public static let capabilities =
        "cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p"

    public let node: SampleNode
    /// The installed helper.
    public let helper: String
    /// The directory of the registry, and the registry's file.
    public let library: String
    public let registry: String
    /// `podreap`, where that user can start it.
    private let program: String

    /// For root in a mount namespace of its own, once in a process.
    ///
    /// - Parameters:
    ///   - helper: The helper as it was built.
    ///   - program: The `podreap` to run.
    public init(helper: String, program: String) throws(SampleError) {
        guard isRoot() else { throw .notRoot }
        guard hasPrivateMounts() else { throw .notPrivate }
        guard exists(helper) else {
            throw .program(command: helper, reason: "there is no such helper; build it with `make helper`")
        }
        let base = "/mnt"
        try mountFilesystem("tmpfs", from: "podreap", at: base, options: "mode=755")
        self.helper = "\(base)/libexec/podreap-helper"
        self.program = "\(base)/bin/podreap"
        library = "\(base)/lib"
        registry = "\(library)/registry.sqlite"
        for name in ["libexec", "bin", "lib", "etc", "etc-work"] { try makeDirectory("\(base)/\(name)") }
        try changeOwner(library, user: Self.user, group: Self.user)
        try write("", to: self.program)
        try bindMount(try resolved(program), at: self.program)
        try Self.install(helper, at: self.helper)
        node = try SampleNode(base: "\(base)/node")
        try node.makeCgroupRoots()
        try mountFilesystem(
            "overlay", from: "overlay", at: "/etc",
            options: "lowerdir=/etc,upperdir=\(base)/etc,workdir=\(base)/etc-work")
        try makeDirectory("/etc/podreap")
        try write(node.helperConf(caller: "\(Self.user)"), to: "/etc/podreap/helper.conf")
    }

    private static func install(_ helper: String, at path: String) throws(SampleError) {
        for command in [["cp", helper, path], ["chown", "0:\(user)", path], ["setcap", capabilities, path]] {
            guard succeeded(try spawn(command)) else {
                throw .program(command: command.joined(separator: " "), reason: "failed")
            }
        }
        try changeMode(path, 0o750)
    }

    /// Runs `podreap` with these arguments as the unprivileged user, with this process's terminal; its exit status.
    public func run(_ arguments: [String]) throws(SampleError) -> Int32 {
        exitStatus(try spawn(command(arguments), sharing: true, environment: passed))
    }

    private var passed: [String] { ["TERM", "NO_COLOR", "LANG"].compactMap(inheritedVariable) }

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
