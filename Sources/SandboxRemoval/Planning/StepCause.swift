internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// Why a step failed, for programs and for `explain`; the record's `detail` says the same in words.
public struct StepCause: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable {
        /// A system call of the helper failed; `call` and `errno` are set.
        case failed
        /// The helper's policy or one of its safety rules forbids the step; `rule` is set.
        case refused
        /// The runtime failed, or its postcondition does not hold.
        case runtime
        case timedOut
        /// The path to remove lies outside the helper's roots.
        case outsidePolicy
        /// The helper could not be started, died, or did not answer.
        case helper
        case registry
        case observation
        /// It is not known whether a container lives; `rule` is the raw value of `UnknownLife`.
        case unknownLife = "unknown-life"
    }

    public var kind: Kind
    /// The system call, such as `umount` or `rmdir`.
    public var call: String?
    /// The system call's error number (errno(3)).
    public var errno: Int32?
    /// The rule's name, such as `immutableEntry`.
    public var rule: String?
    /// Where beneath the step's target the failure happened; nil if at the target itself.
    public var place: String?

    public init(
        kind: Kind, call: String? = nil, errno: Int32? = nil, rule: String? = nil, place: String? = nil
    ) {
        self.kind = kind
        self.call = call
        self.errno = errno
        self.rule = rule
        self.place = place
    }

    init?(_ reply: Reply) {
        func named(_ detail: [UInt8]) -> String? { detail.isEmpty ? nil : printable(detail) }
        switch reply.outcome {
        case .refused(let rule, let detail): self.init(kind: .refused, rule: "\(rule)", place: named(detail))
        case .failed(let failure) where reply.facts.runtimeMessage != nil || failure.call == .runtime:
            self.init(kind: .runtime, place: named(failure.detail))
        case .failed(let failure):
            let number = Int32(truncatingIfNeeded: failure.errno)
            self.init(kind: .failed, call: "\(failure.call)", errno: number, place: named(failure.detail))
        case .timedOut: self.init(kind: .timedOut)
        case .malformed, .unsupported: self.init(kind: .helper)
        case .done, .alreadyDone, .inProgress: return nil
        }
    }

    init?(_ error: any Error) {
        switch error {
        case is HelperError: self.init(kind: .helper)
        case is RootError: self.init(kind: .outsidePolicy)
        case is RegistryError: self.init(kind: .registry)
        case is ObservationError: self.init(kind: .observation)
        default: return nil
        }
    }
}
