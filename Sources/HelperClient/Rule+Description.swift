public import HelperProtocol
internal import LinuxSystem

extension Rule {
    /// Says the rule in words, and what would be right.
    ///
    /// - Parameter detail: The detail that the helper sent: a place, a file, a line or a value; may be empty.
    public func meaning(_ detail: String) -> String {
        let named = detail.isEmpty ? "" : " (\(detail))"
        return switch self {
        case .unknownRoot: "the helper's policy has no such root\(named)"
        case .wrongRootKind: "the helper's policy does not allow this beneath that root\(named)"
        case .wrongDepth: "the helper's policy does not allow this at that depth\(named)"
        case .nameNotAllowed: "the helper's policy does not allow a namespace of this name to be deleted\(named)"
        case .mountBeneath: "something is mounted beneath it\(named); nothing beyond the mount was touched"
        case .leavesRoot: "the way there leads through a symbolic link or a mount\(named)"
        case .identityMismatch: "something else has replaced what was registered\(named)"
        case .notNamespace: "it is no namespace's pin\(named)"
        case .wrongNamespaceKind: "it pins a namespace of another kind\(named)"
        case .notDirectory: "it is not a directory\(named)"
        case .immutableEntry: "an entry is immutable or append-only\(named); see chattr(1)"
        case .unknownRuntime: "the helper's policy has no such runtime\(named)"
        case .missingCapability: "the helper lacks a capability for it\(named); see podreap-helper's setcap line"
        case .hooksNotAllowed: "the bundle has hooks, and helper.conf does not allow that runtime any\(named)"
        case .tooManyMounts: "more mounts are stacked there than one request detaches\(named)"
        case .notCgroup: "it is no cgroup\(named)"
        case .cgroupNotContainers:
            "the runtime's state does not name that cgroup as the container's\(named), and its cgroup-root in helper.conf lacks the word kill"
        case .cgroupShared: "another living container has that cgroup too, or one above or beneath it\(named)"
        case .containerLives: "the process that the runtime's state names is alive\(named)"
        case .kernelTooOld:
            "the kernel lacks openat2(2), or statx(2) does not report mount roots\(named); Linux 5.8 has both"
        case .policyUnreadable: "helper.conf cannot be read\(named)"
        case .policyMalformed: "helper.conf is wrong\(named)"
        case .policyReplaceable: "users other than root can change helper.conf or a directory above it\(named)"
        case .rootReplaceable: "users other than root can replace a root of helper.conf\(named)"
        case .runtimeReplaceable: "a runtime of helper.conf is missing, or users other than root can replace it\(named)"
        case .peerNotCaller: "this user is not a caller in helper.conf\(named); add: caller = USER"
        case .startedByOther:
            "only a caller named in helper.conf may start it, and only root may name another policy\(named)"
        case .limitsTooLow: "a resource limit is too low\(named); see ulimit -H"
        case .confinementFailed: "it could not confine itself\(named)"
        }
    }
}

extension Failure {
    /// The failure in words: the call, the text of errno(3), and the place.
    public var meaning: String {
        let place = detail.isEmpty ? "" : " at \(printable(detail))"
        if errno == 0 { return call == .runtime ? "the runtime failed\(place)" : "\(call) failed\(place)" }
        let reason = Errno(Int32(truncatingIfNeeded: errno))
        if call == .exec {
            return "the program that helper.conf names for the runtime cannot be executed: \(reason)\(place)"
        }
        return "\(call): \(reason)\(place)"
    }
}

/// Converts bytes from a helper, a runtime or a directory to text that cannot control a terminal: anything but
/// printable UTF-8 is escaped.
public func printable(_ bytes: [UInt8]) -> String {
    var text = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        switch scalar.value {
        case 0x20..<0x7f, 0xa0...: text.unicodeScalars.append(scalar)
        default: text += scalar.escaped(asASCII: true)
        }
    }
    return text
}

/// The same for a text, such as the name that a process chose for itself.
public func printable(_ text: String) -> String { printable(Array(text.utf8)) }
