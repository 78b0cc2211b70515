internal import CLinux
internal import HelperProtocol

/// A list of `policy/seccomp`, as a seccomp filter that `make filters` has compiled.
enum SystemCallFilter {
    case broker, unmounter
    /// A launcher's, which its runtime inherits.
    case runc, crun, hooks

    private var list: linux_filter {
        switch self {
        case .broker: LINUX_FILTER_BROKER
        case .unmounter: LINUX_FILTER_UNMOUNTER
        case .runc: LINUX_FILTER_RUNC
        case .crun: LINUX_FILTER_CRUN
        case .hooks: LINUX_FILTER_HOOKS
        }
    }

    /// Loads the filter, for this process and every process that it starts (seccomp(2)).
    func load() throws(Outcome) {
        guard unsafe linux_filter_calls(list, EmptyPath.address) == 0 else { throw .refused(.confinementFailed) }
    }
}
