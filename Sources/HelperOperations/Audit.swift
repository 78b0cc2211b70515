internal import HelperProtocol

/// The helper's own record in the system log: a line before an act's first change and one with its outcome. The
/// orchestrator's log cannot be trusted once an attacker controls the orchestrator, and the caller may end this process
/// in the middle of an act.
final class Audit {
    private let log = Descriptor.systemLog()
    private let caller: UInt32
    private var line: [UInt8] = []
    private var isAct = false
    private var hasBegun = false

    init(caller: UInt32) {
        self.caller = caller
        line.reserveCapacity(Limits.requestBytes + 512)
    }

    /// Prepares the lines of a request, or of a packet that was not a valid one. A look leaves none.
    func prepare(_ request: Request?, _ policy: Policy) {
        isAct = request?.isAct ?? true
        guard isAct else { return }
        hasBegun = false
        line.removeAll(keepingCapacity: true)
        // Facility authpriv (10) and severity notice (5), encoded as in syslog(3).
        line.append("<85>podreap-helper: caller=")
        line.append(decimal: UInt64(caller))
        if let request { line.append(request, policy) }
        line.append(" outcome=")
    }

    /// Called before each change that an act makes; records the first.
    func begin() {
        guard isAct, !hasBegun else { return }
        hasBegun = true
        let count = line.count
        line.append("begun")
        log.log(line)
        line.removeLast(line.count - count)
    }

    /// Records an outcome, unless there was nothing to do: such lines could fill the log and keep others out of it.
    func end(_ outcome: Outcome) {
        guard isAct, hasBegun || outcome != .alreadyDone else { return }
        line.append(outcome)
        log.log(line)
    }
}

extension Request {
    fileprivate var isAct: Bool {
        switch self {
        case .hello, .unmount(_, .look), .deleteNamespace(_, .look), .removeDirectory(_, .look),
            .runtimeKill(_, .look, _, _), .runtimeKillCgroups(_, .look, _, _), .runtimeKillProcesses(_, .look, _, _),
            .runtimeDelete(_, .look), .runtimeState, .runtimeList:
            false
        default: true
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ request: Request, _ policy: Policy) {
        switch request {
        case .unmount(let place, let intent):
            append(" operation=unmount", place, policy)
            if case .act(let only?) = intent { append(" mount=", only.id) }
        case .unmountBeneath(let place, let only, _):
            append(" operation=unmount-beneath", place, policy)
            if let only { append(" inode=", only.inode) }
        case .deleteNamespace(let place, let intent):
            append(" operation=delete-namespace", place, policy)
            if case .act(let only?) = intent { append(" inode=", only.inode) }
        case .removeDirectory(let place, let intent):
            append(" operation=remove-directory", place, policy)
            if case .act(let only?, _) = intent { append(" inode=", only.inode) }
        case .runtimeKill(let target, _, let signal, let all):
            append(all ? " operation=kill-all" : " operation=kill", target, policy)
            append(" signal=", UInt64(signal))
        case .runtimeKillCgroups(let target, _, let signal, let cgroups):
            append(" operation=kill-cgroups", target, policy)
            append(" signal=", UInt64(signal))
            for cgroup in cgroups {
                append("", cgroup.place, policy)
                append(" inode=", cgroup.identity.inode)
            }
        case .runtimeKillProcesses(let target, _, let signal, let targets):
            append(" operation=kill-processes", target, policy)
            append(" signal=", UInt64(signal))
            append("", targets.place, policy)
            append(" inode=", targets.identity.inode)
            for process in targets.processes { append(" pid=", UInt64(process.pid)) }
        case .runtimeDelete(let target, _):
            append(" operation=delete", target, policy)
        case .runtimeForget(let target, let only):
            append(" operation=forget", target, policy)
            append(" inode=", only.inode)
        case .hello, .runtimeState, .runtimeList: break
        }
    }

    private mutating func append(_ operation: StaticString, _ place: Place, _ policy: Policy) {
        append(operation)
        append(" place=")
        if Int(place.root) < policy.roots.count { append(escaping: policy.roots[Int(place.root)].path.span) }
        append(0x2f)
        if place.depth > 1 {
            append(escaping: place.parent.span)
            append(0x2f)
        }
        append(escaping: place.name.span)
    }

    private mutating func append(_ operation: StaticString, _ target: RuntimeTarget, _ policy: Policy) {
        append(operation)
        append(" runtime=")
        if Int(target.runtime) < policy.runtimes.count {
            append(escaping: policy.runtimes[Int(target.runtime)].seen.name.span)
        }
        append(" container=")
        append(escaping: target.id.bytes.span)
    }

    private mutating func append(_ label: StaticString, _ number: UInt64) {
        append(label)
        append(decimal: number)
    }

    fileprivate mutating func append(_ outcome: Outcome) {
        switch outcome {
        case .done: append("done")
        case .alreadyDone: append("already-done")
        case .inProgress: append("in-progress")
        case .refused(let rule, _): append("refused rule=", UInt64(rule.rawValue))
        case .malformed(let reason): append("malformed reason=", UInt64(reason.rawValue))
        case .failed(let failure):
            append("failed errno=", UInt64(failure.errno))
            append(" call=", UInt64(failure.call.rawValue))
        case .timedOut: append("timed-out")
        case .unsupported: append("unsupported")
        }
    }

    /// Copies printable ASCII except the blank and the backslash, and escapes every other byte as `\xHH`, so that no
    /// caller can forge a log line.
    private mutating func append(escaping bytes: Span<UInt8>) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if (0x21...0x7e).contains(byte), byte != 0x5c {
                append(byte)
            } else {
                append("\\x")
                for digit in [byte >> 4, byte & 15] { append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
            }
        }
    }
}
