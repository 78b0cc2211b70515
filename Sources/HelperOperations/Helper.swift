public import HelperProtocol

/// The whole helper: the broker, and the processes that it forks at its start: the unmounter, and one launcher for each
/// runtime.
public struct Helper: ~Copyable {
    private let policy: Policy
    private let privileges: Privileges
    private let missing: CapabilitySet
    private let unmounter: ProcessLink
    private let launchers: [ProcessLink]
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
        let caller = socket.packetPeer() ?? Confinement.realUser
        let audit = Audit(caller: caller)
        let policy = try privileges.raised(readable) { () throws(Outcome) in try Policy(file: policyPath) }
        try Self.check(socket.packetPeer(), policy)
        let unmounter = try Self.startUnmounter(policy, missing, caller)
        var launchers: [ProcessLink] = []
        for runtime in policy.runtimes { launchers.append(try Self.startLauncher(runtime, unmounter)) }
        try privileges.keep(.broker, effective: false, securebits: .noPrivilegeByUser)
        try Confinement.confine(.broker, keeping: privileges)
        // No request is answered before every process has confined itself. Without the capabilities for runtimes there
        // is no launcher to wait for.
        try unmounter.awaitReady()
        if missing.isDisjoint(with: .runtimes) { for launcher in launchers { try launcher.awaitReady() } }
        self.policy = policy
        self.missing = missing
        self.privileges = privileges
        self.unmounter = unmounter
        self.launchers = launchers
        self.audit = audit
    }

    /// Answers requests until the orchestrator closes the connection or breaks the protocol.
    public consuming func serve(_ socket: consuming Descriptor) {
        var broker = Broker(
            policy, privileges, missing: missing, orchestrator: socket, unmounter: unmounter, launchers: launchers,
            mountInfo: .none, audit: audit)
        broker.serve()
    }

    /// The user that started this process and the user at the other end of its socket must each be root or a caller in
    /// the policy.
    private static func check(_ peer: UInt32?, _ policy: Policy) throws(Outcome) {
        let user = Confinement.realUser
        guard let peer, peer == 0 || policy.callers.contains(peer) else { throw .refused(.peerNotCaller) }
        guard user == 0 || policy.callers.contains(user) else { throw .refused(.startedByOther) }
    }

    /// Forks the process that unmounts and deletes namespaces: the only one that keeps SYS_ADMIN. It answers the packets
    /// that the broker passes on to it as they came, and checks each as the broker would.
    private static func startUnmounter(
        _ policy: Policy, _ missing: CapabilitySet, _ caller: UInt32
    ) throws(Outcome) -> ProcessLink {
        try start { (socket) throws(Outcome) in
            // Some nodes have no visible /proc. Without it, only the operations that need mountinfo fail.
            let mountInfo = (try? Descriptor.ofProcess(ownProcess(), "mountinfo")) ?? .none
            let audit = Audit(caller: caller)
            var privileges = try Privileges()
            try privileges.keep(.unmounter, effective: false, securebits: .noPrivilegeByUser)
            try Confinement.confine(.unmounter, keeping: privileges)
            try socket.sayReady()
            var broker = Broker(
                policy, privileges, missing: missing, orchestrator: socket, unmounter: nil, launchers: [],
                mountInfo: mountInfo, audit: audit)
            broker.serve()
            endProcess(0)
        }
    }

    private static func startLauncher(
        _ runtime: Policy.RuntimePolicy, _ unmounter: ProcessLink
    ) throws(Outcome) -> ProcessLink {
        try start { (socket) throws(Outcome) in
            var privileges = try Privileges()
            try privileges.becomeRoot()
            try privileges.keep(.launcher, effective: true, securebits: .rootPassesOn)
            var launcher = Launcher(socket, runtime, sparing: unmounter.pid)
            try Confinement.confine(runtime.filter, keeping: privileges)
            try launcher.sayReady()
            endProcess(launcher.serve())
        }
    }

    /// Forks a process before this one confines itself, because a child inherits the confinement. It gets its end of a
    /// socket, and nothing else of what is open here.
    private static func start(_ body: (consuming Descriptor) throws(Outcome) -> Never) throws(Outcome) -> ProcessLink {
        let pair = try Descriptor.socketPair()
        let child = try Child.fork { () -> Never in
            do throws(Outcome) { try body(try pair.theirs.takeOver()) } catch { endProcess(1) }
        }
        return ProcessLink(pair.releaseOurs(), pid: child.pid)
    }
}

/// The broker's end of the private socket of another of the helper's processes.
final class ProcessLink: Sendable {
    let socket: Descriptor
    let pid: Int32

    init(_ socket: consuming Descriptor, pid: Int32) {
        self.socket = socket
        self.pid = pid
    }

    /// Waits until the process has called `sayReady`.
    func awaitReady() throws(Outcome) {
        var packet: [UInt8] = [0, 0]
        guard case .packet = try socket.wait(milliseconds: 5000), try socket.receive(into: &packet, size: 2) == 1
        else { throw .refused(.confinementFailed) }
    }
}

extension Descriptor {
    /// Tells the broker at the other end that this process is confined.
    func sayReady() throws(Outcome) { try send([1]) }
}

/// The packet that answers a Hello before it is read: it says why the helper does not serve.
public func startRefusal(_ outcome: Outcome) -> [UInt8] {
    var packet: [UInt8] = []
    Reply(kind: .hello, requestID: 0, outcome: outcome).encode(into: &packet)
    return packet
}
