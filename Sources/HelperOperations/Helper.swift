public import HelperProtocol

/// The helper from its start to its end: the broker, and a launcher for each runtime, which it forks.
public struct Helper: ~Copyable {
    private let policy: Policy
    private let privileges: Privileges
    private let missing: CapabilitySet
    private let launchers: [LauncherLink]
    private let mountInfo: Descriptor
    private let audit: Audit

    /// Prepares everything but reading from the socket. Throws the outcome that forbids serving; nothing is left
    /// running then.
    ///
    /// - Parameter policyPath: The absolute path of `helper.conf`.
    public init(_ socket: borrowing Descriptor, policyPath: [UInt8]) throws(Outcome) {
        try Confinement.forgetParent()
        var privileges = try Privileges()
        let missing = CapabilitySet.helper.subtracting(privileges.permitted)
        let readable = privileges.permitted.intersection([.dacOverride])
        // A service manager starts it for somebody else.
        let audit = Audit(caller: socket.packetPeer() ?? Confinement.realUser)
        // Not in every node's view there is a /proc; without it only what needs it fails.
        let mountInfo = (try? Descriptor.ofProcess(ownProcess(), "mountinfo")) ?? .none
        let policy = try privileges.raised(readable) { () throws(Outcome) in try Policy(file: policyPath) }
        try Self.check(socket.packetPeer(), policy)
        var launchers: [LauncherLink] = []
        for runtime in policy.runtimes { launchers.append(try Self.startLauncher(runtime)) }
        try privileges.keep(.broker, effective: false, securebits: .noPrivilegeByUser)
        try Confinement.confine(SystemCallRules.broker)
        guard privileges.isInForce() else { throw .refused(.confinementFailed) }
        // Nobody is answered before every launcher has confined itself too; without its capabilities none is there.
        if missing.isDisjoint(with: .runtimes) { for launcher in launchers { try launcher.awaitReady() } }
        self.policy = policy
        self.missing = missing
        self.privileges = privileges
        self.launchers = launchers
        self.mountInfo = mountInfo
        self.audit = audit
    }

    /// Answers requests until the orchestrator is gone or breaks the protocol.
    public consuming func serve(_ socket: consuming Descriptor) {
        var broker = Broker(
            policy, privileges, missing: missing, orchestrator: socket, launchers: launchers,
            mountInfo: mountInfo, audit: audit)
        broker.serve()
    }

    /// Who started the process and who holds the other end of its socket must be a caller of the policy, or root.
    private static func check(_ peer: UInt32?, _ policy: Policy) throws(Outcome) {
        let user = Confinement.realUser
        guard let peer, peer == 0 || policy.callers.contains(peer) else { throw .refused(.peerNotCaller) }
        guard user == 0 || policy.callers.contains(user) else { throw .refused(.startedByOther) }
    }

    /// Forks a launcher before this process confines itself, because what confines is inherited.
    private static func startLauncher(_ runtime: Policy.RuntimePolicy) throws(Outcome) -> LauncherLink {
        let pair = try Descriptor.socketPair()
        _ = try Child.fork { () -> Never in
            do throws(Outcome) {
                let socket = try pair.theirs.takeOver()
                var privileges = try Privileges()
                try privileges.becomeRoot()
                try privileges.keep(.launcher, effective: true, securebits: .rootPassesOn)
                var launcher = Launcher(socket, runtime)
                try Confinement.confine(runtime.systemCallRules)
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

/// The answer to a Hello that has not been read: why the helper does not serve.
public func startRefusal(_ outcome: Outcome) -> [UInt8] {
    var packet: [UInt8] = []
    Reply(kind: .hello, requestID: 0, outcome: outcome).encode(into: &packet)
    return packet
}
