public import HelperProtocol
internal import LinuxSystem

/// Why a helper could not be started or did not answer. What a helper answers is an `Outcome` and not such an error,
/// even if it is a refusal or a failure.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum HelperError: Error, Sendable, Equatable, CustomStringConvertible {
    /// How a helper's process ended, if that is known.
    public enum Ending: Sendable, Equatable, CustomStringConvertible {
        case exited(Int32)
        case signalled(Int32)
        /// The helper closed its socket, but is not known to have ended.
        case unknown

        public var description: String {
            switch self {
            case .exited(let status): "it exited with status \(status)"
            case .signalled(let signal): "signal \(signal) ended it"
            case .unknown: "it closed its socket"
            }
        }
    }

    /// The program does not exist.
    case missing(String)
    /// The program exists, but this user may not execute it, or it is not a program.
    case notExecutable(String, errno: Int32)
    /// The program could not be started for another reason, such as a limit of this process or of the system.
    case notStarted(String, errno: Int32)
    /// No connection can be made to the socket that helpers come from.
    case noSocket(String, errno: Int32)
    /// The helper ended before it answered Hello.
    case endedAtStart(String, Ending)
    /// The helper did not answer Hello in time.
    case startTimedOut(String, Duration)
    /// The helper refuses to serve; the rule is one of those that apply at the start.
    case startRefused(Rule, detail: String)
    /// The helper could not finish its start: a system call failed.
    case startFailed(Failure)
    /// The helper lacks capabilities that it needs, one bit for each number (capabilities(7)).
    case missingCapabilities(HelperLaunch, UInt64)
    /// The helper speaks no protocol version that this program speaks.
    case unsupportedVersion(VersionRange)
    /// The helper's answer is not a valid reply to the request. The helper was ended.
    case malformedReply(String)
    /// The helper does not understand the request, so this program and the helper do not match.
    case rejected(Malformed)
    /// The helper ended without an answer. So did those asked next, if repeating the request is harmless.
    case died(Kind, Ending)
    /// No answer came within the request's deadline and the margin. The helper was abandoned.
    case noReply(Kind, Duration)
    /// This many helpers hang, so no new one is started.
    case tooManyAbandoned(Int)
    /// No helper was free or ready within the time that the call had.
    case allBusy(after: Duration)
    /// `helper.conf` was changed, and no helper is left that uses the policy of when the work began.
    case policyChanged
    /// A system call of this process failed.
    case system(errno: Int32)

    public var description: String {
        switch self {
        case .missing(let path):
            "there is no helper at \(path); install podreap-helper there, or name it with --helper or PODREAP_HELPER"
        case .notExecutable(let path, let errno): Self.notExecutable(path, Errno(errno))
        case .notStarted(let path, let errno): "the helper \(path) cannot be started: \(Errno(errno))"
        case .noSocket(let path, let errno): Self.noSocket(path, Errno(errno))
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
            "\(count) helpers hang in the kernel, so podreap starts no more; as root, see their stacks in /proc/PID/stack"
        case .allBusy(let time): "no helper was free within \(time)"
        case .policyChanged:
            "helper.conf was changed meanwhile, and the helpers that use the old one have ended; try again"
        case .system(let errno): "one of podreap's system calls failed: \(Errno(errno))"
        }
    }

    private static func notExecutable(_ path: String, _ error: Errno) -> String {
        switch error {
        case .access:
            "the helper \(path) may not be executed by this user; its mode is 0750 root:podreap, so join podreap"
        case .notPermitted:
            "the helper \(path) may not be started: it has capabilities with +ep that this system withholds; use =p"
        default: "the helper \(path) is not a program of this machine (\(error))"
        }
    }

    private static func noSocket(_ path: String, _ error: Errno) -> String {
        switch error {
        case .access:
            "the socket \(path) may not be used by this user; its mode is 0660 root:podreap, so join podreap"
        case .wrongSocketType:
            "the socket \(path) is no SOCK_SEQPACKET socket; podreap-helper.socket has ListenSequentialPacket="
        default:
            "the socket gives no helper: \(path) (\(error)); as root: systemctl enable --now podreap-helper.socket"
        }
    }

    init(starting launch: HelperLaunch, _ error: Errno) {
        guard case .program(let path, _) = launch else {
            self = .noSocket(launch.path, errno: error.number)
            return
        }
        switch error {
        case .noEntry, .notDirectory: self = .missing(path)
        case .access, .notPermitted, .notExecutable: self = .notExecutable(path, errno: error.number)
        default: self = .notStarted(path, errno: error.number)
        }
    }
}

/// The capabilities of the helper's file.
public enum CapabilityNames {
    /// In the form that setcap(8) takes.
    public static let helper = "cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap"
    private static let byNumber = [
        1: "cap_dac_override", 3: "cap_fowner", 5: "cap_kill", 6: "cap_setgid", 7: "cap_setuid", 8: "cap_setpcap",
        21: "cap_sys_admin",
    ]

    /// The capabilities that the helper needs, one bit for each number (capabilities(7)).
    public static let needed: UInt64 = byNumber.keys.reduce(0) { $0 | 1 << UInt64($1) }

    /// Names of the capabilities whose bits are set, for messages.
    public static func list(_ set: UInt64) -> String {
        (0..<64).filter { set & (1 << UInt64($0)) != 0 }
            .map { byNumber[$0] ?? "capability \($0)" }.joined(separator: ", ")
    }
}
