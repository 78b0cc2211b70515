internal import HelperProtocol

/// A process that reads requests. It checks each against the policy, carries it out with capabilities raised only for
/// that time, and answers. It decides nothing and never executes a program.
///
/// The helper has two: one serves the orchestrator and passes on what is about mounts to the other, the unmounter.
struct Broker: ~Copyable {
    let policy: Policy
    let privileges: Privileges
    /// Who asks; for the unmounter, the other broker.
    let orchestrator: Descriptor
    /// Nil in the unmounter itself.
    let unmounter: ProcessLink?
    /// One launcher for each runtime of the policy, in the policy's order.
    let launchers: [ProcessLink]
    let missing: CapabilitySet
    /// `/proc/PID/mountinfo` of the unmounter, or `none` if it could not be opened.
    let mountInfo: Descriptor
    let removal = DirectoryRemoval()
    let audit: Audit
    /// Room for an answer of the unmounter.
    private var answers = [UInt8](repeating: 0, count: Limits.replyBytes)
    /// The protocol version that Hello agreed on; 0 before Hello.
    private(set) var version: UInt16 = 0

    init(
        _ policy: Policy, _ privileges: consuming Privileges, missing: CapabilitySet,
        orchestrator: consuming Descriptor, unmounter: ProcessLink?, launchers: [ProcessLink],
        mountInfo: consuming Descriptor, audit: Audit
    ) {
        self.policy = policy
        self.privileges = privileges
        self.missing = missing
        self.orchestrator = orchestrator
        self.unmounter = unmounter
        self.launchers = launchers
        self.mountInfo = mountInfo
        self.audit = audit
    }

    /// Answers requests, one at a time, until the orchestrator closes the connection or breaks the protocol.
    mutating func serve() {
        var packet = [UInt8](repeating: 0, count: Limits.requestBytes + 1)
        var out: [UInt8] = []
        out.reserveCapacity(Limits.replyBytes)
        do throws(Outcome) {
            while case .packet = try orchestrator.wait() {
                guard try serveOne(&packet, &out) else { return }
            }
        } catch {}  // The orchestrator is gone.
    }

    /// Answers one request; false if it was the last. Throws if the answer cannot be sent.
    mutating func serveOne(_ packet: inout [UInt8], _ out: inout [UInt8]) throws(Outcome) -> Bool {
        var request: RequestPacket?
        var answer = Answer(.timedOut)
        var relayed: Int?
        do throws(Outcome) {
            let count = try orchestrator.receive(into: &packet, size: packet.count)
            let read = try RequestPacket(packet.span.extracting(first: count), spoken)
            request = read
            if version > 0, let unmounter, read.request.isAboutMounts {
                relayed = try relay(packet, count, to: unmounter)
            } else {
                audit.prepare(read.request, policy)
                do throws(Outcome) {
                    answer = try self.answer(read)
                    // It speaks the version that is agreed on.
                    if let unmounter, case .hello = read.request { _ = try relay(packet, count, to: unmounter) }
                } catch {
                    answer = Answer(error)
                }
                audit.end(answer.outcome)
            }
            if case .packet = try orchestrator.wait(milliseconds: 0) { throw .malformed(.pipelined) }
        } catch {
            relayed = nil
            answer = Answer(error)
            audit.prepare(nil, policy)
            audit.end(error)
        }
        if let relayed {
            try orchestrator.send(answers, first: relayed)
            return true
        }
        Reply(
            kind: request?.request.kind ?? .hello, requestID: request?.id ?? 0, outcome: answer.outcome,
            facts: answer.facts
        ).encode(into: &out, version: spoken)
        try answer.send(out, to: orchestrator)
        switch answer.outcome {
        case .malformed, .unsupported: return false
        default: return true
        }
    }

    /// Has the unmounter answer a packet, which it gets as it came; returns the bytes of the answer, in `answers`.
    private mutating func relay(
        _ packet: [UInt8], _ count: Int, to unmounter: ProcessLink
    ) throws(Outcome) -> Int {
        do throws(Outcome) { try unmounter.socket.send(packet, first: count) } catch { endProcess(1) }
        try wait(for: unmounter.socket, .max)
        return try unmounter.socket.receive(into: &answers, size: answers.count)
    }

    /// Waits only for the answer of another of the helper's processes. If the orchestrator or that process is gone, or
    /// the time is over, this process ends, and its end ends the others.
    func wait(for process: borrowing Descriptor, _ milliseconds: UInt32) throws(Outcome) {
        switch try process.wait(Deadline(milliseconds: milliseconds), besides: orchestrator) {
        case .packet: break
        case .otherPacket: throw .malformed(.pipelined)
        case .peerGone, .timeout: endProcess(1)
        }
    }

    /// The version in which packets are read and written.
    private var spoken: UInt16 { max(version, Limits.oldestVersion) }

    /// Carries out one request. Throws every outcome but `done` and `alreadyDone`.
    mutating func answer(_ packet: RequestPacket) throws(Outcome) -> Answer {
        guard case .hello(let versions) = packet.request else {
            guard version > 0 else { throw .malformed(.outOfOrder) }
            return try carryOut(packet.request, packet.deadline)
        }
        guard version == 0 else { throw .malformed(.outOfOrder) }
        let common = min(versions.maximum, Limits.version)
        guard common >= max(versions.minimum, Limits.oldestVersion) else { throw .unsupported(.spoken) }
        version = common
        return Answer(
            .done,
            .welcome(
                Welcome(
                    version: version, release: InlineBytes<33>(Release.version), missing: missing.rawValue,
                    roots: policy.roots.filter { $0.kind.exists(in: common) }, runtimes: policy.runtimes.map { $0.seen }
                )))
    }

    private func carryOut(_ request: Request, _ milliseconds: UInt32) throws(Outcome) -> Answer {
        switch request {
        case .hello:
            throw .malformed(.outOfOrder)
        case .unmount(let place, let intent):
            return try unmount(place, intent, Deadline(milliseconds: milliseconds))
        case .unmountBeneath(let place, let only, let most):
            return try unmountBeneath(place, only: only, most, Deadline(milliseconds: milliseconds))
        case .deleteNamespace(let place, let intent):
            return try deleteNamespace(place, intent)
        case .removeDirectory(let place, .look(let cursor)):
            return try look(place, from: cursor)
        case .removeDirectory(let place, .act(let only, let slice)):
            return try removeDirectory(place, only: only, slice, Deadline(milliseconds: milliseconds))
        case .runtimeState(let target):
            return try state(target, milliseconds)
        case .runtimeKill(let target, let intent, let signal, let all):
            return try kill(target, intent, .kill(signal: signal, all: all), milliseconds)
        case .runtimeKillCgroups(let target, let intent, let signal, let cgroups):
            return try kill(target, intent, signal, in: cgroups, milliseconds)
        case .runtimeKillProcesses(let target, let intent, let signal, let targets):
            return try kill(target, intent, signal, targets, milliseconds)
        case .runtimeDelete(let target, let intent):
            return try delete(target, intent, milliseconds)
        case .runtimeForget(let target, let only):
            return try forget(target, only, Deadline(milliseconds: milliseconds))
        case .runtimeList(let runtime):
            return try list(runtime, milliseconds)
        }
    }
}

extension Request {
    /// Whether SYS_ADMIN is needed for it.
    fileprivate var isAboutMounts: Bool {
        switch self {
        case .unmount, .unmountBeneath, .deleteNamespace: true
        default: false
        }
    }
}

extension RequestPacket {
    fileprivate init(_ packet: Span<UInt8>, _ version: UInt16) throws(Outcome) {
        do throws(Malformed) {
            try self.init(decoding: packet, version: version)
        } catch {
            throw .malformed(error)
        }
    }
}

/// A request's outcome and facts, and the sealed memfd that goes with them if there is one.
struct Answer: ~Copyable {
    var outcome: Outcome
    var facts: Facts
    private let attachment: Descriptor

    init(_ outcome: Outcome, _ facts: Facts = .none) {
        self.outcome = outcome
        self.facts = facts
        attachment = .none
    }

    init(_ outcome: Outcome, _ facts: Facts, attachment: consuming Descriptor) {
        self.outcome = outcome
        self.facts = facts
        self.attachment = attachment
    }

    func send(_ packet: [UInt8], to peer: borrowing Descriptor) throws(Outcome) {
        try peer.send(packet, attachment)
    }
}
