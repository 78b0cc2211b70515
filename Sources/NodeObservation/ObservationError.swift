internal import LinuxSystem

/// Why something on this node could not be observed. Absence is an observation, not an error.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum ObservationError: Error, Equatable, CustomStringConvertible {
    /// A system call failed on a path; `code` is its errno(3).
    case failed(call: String, path: String, code: Int32)
    /// A file of the kernel does not have its documented form; `line` counts from 1.
    case malformed(file: String, line: Int, expected: String)
    /// A cgroup has processes that this PID namespace cannot name (the kernel lists them as 0).
    case hiddenProcesses(cgroup: String)
    /// /proc lacks a file that every kernel has.
    case partialProc(file: String)

    /// Whether this user was not permitted to look.
    public var isRefusal: Bool {
        if case .failed(_, _, let code) = self { [.access, .notPermitted].contains(Errno(code)) } else { false }
    }

    public var description: String {
        switch self {
        case .failed(let call, let path, let code): "\(call) \(path): \(Errno(code))"
        case .malformed(let file, let line, let expected): "\(file), line \(line): malformed; expected \(expected)"
        case .hiddenProcesses(let cgroup):
            "\(cgroup): has processes outside this PID namespace; observe it from the host's PID namespace"
        case .partialProc(let file):
            "there is no \(file): /proc shows processes only (subset=pid of proc(5)); mount -t proc proc /proc"
        }
    }
}
