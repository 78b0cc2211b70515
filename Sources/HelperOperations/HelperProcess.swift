public import HelperProtocol

/// The helper from its start to its end, as two processes: the broker, and the launcher that it forks.
public struct HelperProcess: ~Copyable {
    private let policy: Policy
    private let privileges: Privileges
    private let missing: CapabilitySet
    private let launcher: Descriptor

    /// Prepares everything but reading from the socket. Throws the outcome that forbids serving; nothing is left
    /// running then.
    ///
    /// - Parameter policyPath: The absolute path of `helper.conf`.
    public init(_ socket: borrowing Descriptor, policyPath: [UInt8]) throws(Outcome) {
        try Confinement.forgetParent()
        var privileges = try Privileges()
        let missing = CapabilitySet.helper.subtracting(privileges.permitted)
        let readable = privileges.permitted.intersection([.dacOverride])
        let policy = try privileges.raised(readable) { () throws(Outcome) in try Policy(file: policyPath) }
        try Self.check(socket.packetPeer(), policy)
        let launcher = try Self.startLauncher(policy)
        try privileges.keep(.broker, effective: false, securebits: .noPrivilegeByUser)
        try Confinement.forbidNewPrivileges()
        guard privileges.isInForce() else { throw .refused(.confinementFailed) }
        self.policy = policy
        self.missing = missing
        self.privileges = privileges
        self.launcher = launcher
    }

    /// Answers requests until the orchestrator is gone or breaks the protocol.
    public consuming func serve(_ socket: consuming Descriptor) {
        var broker = Broker(policy, privileges, missing: missing, orchestrator: socket, launcher: launcher)
        broker.serve()
    }

    /// Who started the process and who holds the other end of its socket must be a caller of the policy, or root.
    private static func check(_ peer: UInt32?, _ policy: Policy) throws(Outcome) {
        let user = Confinement.realUser
        guard let peer, peer == 0 || policy.callers.contains(peer) else { throw .refused(.peerNotCaller) }
        guard user == 0 || policy.callers.contains(user) else { throw .refused(.startedByOther) }
    }

    /// Forks the launcher before this process confines itself, because what confines is inherited. Returns the
    /// private socket to it.
    private static func startLauncher(_ policy: Policy) throws(Outcome) -> Descriptor {
        let pair = try Descriptor.socketPair()
        _ = try Child.fork { () -> Never in
            do throws(Outcome) {
                let socket = try pair.theirs.takeOver()
                var privileges = try Privileges()
                try privileges.becomeRoot()
                try privileges.keep(.launcher, effective: true, securebits: .rootPassesOn)
                try Confinement.forbidNewPrivileges()
                let launcher = Launcher(socket, policy)
                guard privileges.isInForce() else { endProcess(1) }
                endProcess(launcher.serve())
            } catch {
                endProcess(1)
            }
        }
        return pair.releaseOurs()
    }
}

/// The answer to a Hello that has not been read: why the helper does not serve.
public func startRefusal(_ outcome: Outcome) -> [UInt8] {
    var packet: [UInt8] = []
    Reply(kind: .hello, requestID: 0, outcome: outcome).encode(into: &packet)
    return packet
}
