/// One of a sample pod's containers beside its infra container.
public struct Workload: Sendable {
    public enum Behaviour: Sendable {
        /// Ends on TERM, with its child.
        case handlesTerm
        /// Nothing but KILL ends it.
        case ignoresTerm
        /// Ends on TERM, but its child ignores it: with the pod's or the host's PID namespace the child outlives the
        /// container's init.
        case leavesChild
    }

    public var behaviour: Behaviour
    /// Frozen after its start, as by `runc pause`.
    public var isPaused: Bool
    /// Empty files made in its directory, a hundred to a subdirectory.
    public var files: Int

    public init(_ behaviour: Behaviour = .handlesTerm, isPaused: Bool = false, files: Int = 0) {
        self.behaviour = behaviour
        self.isPaused = isPaused
        self.files = files
    }

    /// Closes its standard output once the trap is set: whoever holds the other end knows that a signal works now.
    var script: String {
        switch behaviour {
        case .handlesTerm: "trap 'kill $!; exit 0' TERM; exec sleep 2147483647 >&2 & exec >&2; wait"
        case .ignoresTerm: "trap '' TERM; exec >&2; exec sleep 2147483647"
        case .leavesChild: "(trap '' TERM; exec sleep 2147483647 >&2) & trap 'exit 0' TERM; exec >&2; wait"
        }
    }
}

/// Whose processes a pod's containers see.
public enum PIDNamespace: Sendable {
    /// Each container its own.
    case container
    /// One for the pod, made by the infra container: `shareProcessNamespace` of a Kubernetes pod.
    case pod
    /// The host's: `hostPID`.
    case host
}
