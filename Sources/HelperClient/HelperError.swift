public import HelperProtocol

/// Why a helper could not be started, or did not answer. What a helper answers, refusals and failures of operations
/// too, is no error of this kind but an `Outcome`.
public enum HelperError: Error, Sendable, Equatable, CustomStringConvertible {
    /// How a helper's process ended, as far as it is known.
    public enum Ending: Sendable, Equatable, CustomStringConvertible {
        case exited(Int32)
        case signalled(Int32)
        /// Its socket is closed, but it has not ended.
        case unknown

        public var description: String {
            switch self {
            case .exited(let status): "it exited with status \(status)"
            case .signalled(let signal): "signal \(signal) ended it"
            case .unknown: "it closed its socket"
            }
        }
    }

    /// There is no such program.
    case missing(String)
    /// The program is there, and this user may not execute it, or it is none.
    case notExecutable(String, errno: Int32)
    /// It could not be started for another reason: this process's limits, or the system's.
    case notStarted(String, errno: Int32)
    /// Nobody can be reached at the socket that helpers come from.
    case noSocket(String, errno: Int32)
    /// It ended before it answered Hello.
    case endedAtStart(String, Ending)
    /// It did not answer Hello in time.
    case startTimedOut(String, Duration)
    /// It refuses to serve; the rule is one of those for the start.
    case startRefused(Rule, detail: String)
    /// It could not get ready: a system call failed.
    case startFailed(Failure)
    /// It runs without capabilities that it needs, a bit each by number (capabilities(7)).
    case missingCapabilities(HelperLaunch, UInt64)
    /// It speaks no version of the protocol that this program speaks.
    case unsupportedVersion(VersionRange)
    /// Its answer is no valid reply to the request. It was ended.
    case malformedReply(String)
    /// It does not understand the request; so this program and the helper do not belong together.
    case rejected(Malformed)
    /// It ended without an answer, and so did those that were asked next, if asking again is harmless.
    case died(Kind, Ending)
    /// No answer came by the request's deadline and the margin. The helper was abandoned.
    case noReply(Kind, Duration)
    /// So many helpers hang that no new one is started.
    case tooManyAbandoned(Int)
    /// No helper was free, or ready, in the time that the call had.
    case allBusy(after: Duration)
    /// `helper.conf` was changed, and no helper is left that goes by what it was when the work began.
    case policyChanged
    /// A system call of this process failed.
    case system(errno: Int32)

    public var description: String {
        switch self {
        case .missing(let path):
            "there is no helper at \(path); install podreap-helper there, or name it with --helper or PODREAP_HELPER"
        case .notExecutable(let path, let errno): Self.notExecutable(path, SystemError(errno))
        case .notStarted(let path, let errno): "the helper \(path) cannot be started: \(systemErrorText(errno))"
        case .noSocket(let path, let errno): Self.noSocket(path, SystemError(errno))
        case .endedAtStart(let path, let ending):
            "the helper \(path) ended before it answered (\(ending)); is it podreap-helper?"
        case .startTimedOut(let path, let time):
            "the helper \(path) did not answer within \(time); is it podreap-helper?"
        case .startRefused(let rule, let detail): "the helper refuses to start: \(rule.meaning(detail))"
        case .startFailed(let failure): "the helper could not start: \(failure.meaning)"
        case .missingCapabilities(.socket(let path), let set):
            """
            the helper that comes from \(path) lacks \(CapabilityNames.list(set)); see CapabilityBoundingSet= of \
            podreap-helper@.service
            """
        case .missingCapabilities(.program(let path, _), let set):
            """
            the helper \(path) lacks \(CapabilityNames.list(set)); as root: \
            setcap \(CapabilityNames.helper)=p \(path) (a nosuid mount, no_new_privs, a tracer or a container's \
            bounding set also withholds them)
            """
        case .unsupportedVersion(let range):
            """
            the helper speaks protocol versions \(range.minimum) to \(range.maximum), this podreap \
            \(Limits.oldestVersion) to \(Limits.version); install podreap and podreap-helper of the same release
            """
        case .malformedReply(let reason): "the helper's answer is malformed (\(reason)); it was ended"
        case .rejected(let reason):
            "the helper does not understand podreap's request (\(reason)); install both of the same release"
        case .died(let kind, let ending): "the helper ended without answering \(kind) (\(ending))"
        case .noReply(let kind, let time):
            "the helper did not answer \(kind) within \(time) and was abandoned: it may hang in a dead filesystem"
        case .tooManyAbandoned(let count):
            "\(count) helpers hang in the kernel, so no other is started; see their stacks in /proc/PID/stack as root"
        case .allBusy(let time): "no helper was free within \(time)"
        case .policyChanged:
            "helper.conf was changed meanwhile, and the helpers that went by the old one have ended; do it again"
        case .system(let errno): "a system call of podreap's own failed: \(systemErrorText(errno))"
        }
    }

    private static func notExecutable(_ path: String, _ error: SystemError) -> String {
        switch error {
        case .access:
            "the helper \(path) may not be executed by this user; its mode is 0750 root:podreap, so join podreap"
        case .permission:
            "the helper \(path) may not be started: it has capabilities with +ep that this system withholds; use =p"
        default: "the helper \(path) is not a program of this machine (\(error.text))"
        }
    }

    private static func noSocket(_ path: String, _ error: SystemError) -> String {
        switch error {
        case .access:
            "the socket \(path) lets this user in as little as the helper's file would; its mode is 0660 root:podreap, so join podreap"
        case .wrongType:
            "the socket \(path) is no SOCK_SEQPACKET socket; podreap-helper.socket has ListenSequentialPacket="
        default:
            "no helper can be had from the socket \(path) (\(error.text)); as root: systemctl enable --now podreap-helper.socket"
        }
    }

    init(starting launch: HelperLaunch, _ error: SystemError) {
        guard case .program(let path, _) = launch else {
            self = .noSocket(launch.path, errno: error.number)
            return
        }
        switch error {
        case .noEntry, .notDirectory: self = .missing(path)
        case .access, .permission, .notExecutable: self = .notExecutable(path, errno: error.number)
        default: self = .notStarted(path, errno: error.number)
        }
    }
}

/// The capabilities of the helper's file.
public enum CapabilityNames {
    /// As setcap(8) takes them.
    public static let helper = "cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap"
    private static let byNumber = [
        1: "cap_dac_override", 3: "cap_fowner", 5: "cap_kill", 6: "cap_setgid", 7: "cap_setuid", 8: "cap_setpcap",
        21: "cap_sys_admin",
    ]

    /// What the helper needs, a bit each by number (capabilities(7)).
    public static let needed: UInt64 = byNumber.keys.reduce(0) { $0 | 1 << UInt64($1) }

    /// Names of the capabilities whose bits are set, for people.
    public static func list(_ set: UInt64) -> String {
        (0..<64).filter { set & (1 << UInt64($0)) != 0 }
            .map { byNumber[$0] ?? "capability \($0)" }.joined(separator: ", ")
    }
}
