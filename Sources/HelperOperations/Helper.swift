public import HelperProtocol

/// The whole helper: the broker, and one launcher for each runtime, which the helper forks at its start.
public struct Helper: ~Copyable {
    private let policy: Policy
    private let privileges: Privileges
    private let missing: CapabilitySet
    private let launchers: [LauncherLink]
    private let mountInfo: Descriptor
    private let audit: Audit

    /// Does all preparation and reads nothing from the socket. Throws the outcome that forbids serving, in which case
    /// no process is left running.
    ///
    /// - Parameter policyPath: The absolute path of `helper.conf`.
    public init(_ socket: borrowing Descriptor, policyPath: [UInt8]) throws(Outcome) {
        try Confinement.forgetParent()
        var privileges = try Privileges()
        let missing = CapabilitySet.helper.subtracting(privileges.permitted)
        let readable = privileges.permitted.intersection([.dacOverride])
        // A service manager may have started the helper on behalf of another user, so the peer's uid comes first.
        let audit = Audit(caller: socket.packetPeer() ?? Confinement.realUser)
        // Some nodes have no visible /proc. Without it, only the operations that need mountinfo fail.
        let mountInfo = (try? Descriptor.ofProcess(ownProcess(), "mountinfo")) ?? .none
        let policy = try privileges.raised(readable) { () throws(Outcome) in try Policy(file: policyPath) }
        try Self.check(socket.packetPeer(), policy)
        var launchers: [LauncherLink] = []
        for runtime in policy.runtimes { launchers.append(try Self.startLauncher(runtime)) }
        try privileges.keep(.broker, effective: false, securebits: .noPrivilegeByUser)
        try Confinement.confine(.broker)
        guard privileges.isInForce() else { throw .refused(.confinementFailed) }
        // No request is answered before every launcher has confined itself. Without the capabilities for runtimes there
        // is no launcher to wait for.
        if missing.isDisjoint(with: .runtimes) { for launcher in launchers { try launcher.awaitReady() } }
        self.policy = policy
        self.missing = missing
        self.privileges = privileges
        self.launchers = launchers
        self.mountInfo = mountInfo
        self.audit = audit
    }

    /// Answers requests until the orchestrator closes the connection or breaks the protocol.
    public consuming func serve(_ socket: consuming Descriptor) {
        var broker = Broker(
            policy, privileges, missing: missing, orchestrator: socket, launchers: launchers,
            mountInfo: mountInfo, audit: audit)
        broker.serve()
    }

    /// The user that started this process and the user at the other end of its socket must each be root or a caller in
    /// the policy.
    private static func check(_ peer: UInt32?, _ policy: Policy) throws(Outcome) {
        let user = Confinement.realUser
        guard let peer, peer == 0 || policy.callers.contains(peer) else { throw .refused(.peerNotCaller) }
        guard user == 0 || policy.callers.contains(user) else { throw .refused(.startedByOther) }
    }

    /// Forks a launcher before this process confines itself, because a child inherits the confinement.
    private static func startLauncher(_ runtime: Policy.RuntimePolicy) throws(Outcome) -> LauncherLink {
        let pair = try Descriptor.socketPair()
        _ = try Child.fork { () -> Never in
            do throws(Outcome) {
                let socket = try pair.theirs.takeOver()
                var privileges = try Privileges()
                try privileges.becomeRoot()
                try privileges.keep(.launcher, effective: true, securebits: .rootPassesOn)
                var launcher = Launcher(socket, runtime)
                try Confinement.confine(runtime.filter)
                guard privileges.isInForce() else { endProcess(1) }
                try launcher.sayReady()
                endProcess(launcher.serve())
            } catch {
                endProcess(1)
            }
        }
        return LauncherLink(pair.releaseOurs())
    }
}

/// The broker's end of a launcher's private socket.
final class LauncherLink: Sendable {
    let socket: Descriptor
    init(_ socket: consuming Descriptor) { self.socket = socket }

    func awaitReady() throws(Outcome) {
        var packet: [UInt8] = [0, 0]
        guard case .packet = try socket.wait(milliseconds: 5000), try socket.receive(into: &packet, size: 2) == 1
        else { throw .refused(.confinementFailed) }
    }
}

/// The packet that answers a Hello before it is read: it says why the helper does not serve.
public func startRefusal(_ outcome: Outcome) -> [UInt8] {
    var packet: [UInt8] = []
    Reply(kind: .hello, requestID: 0, outcome: outcome).encode(into: &packet)
    return packet
}
