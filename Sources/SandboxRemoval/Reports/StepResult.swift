internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// The result of a step that succeeded.
struct StepSuccess: Sendable, Equatable {
    var already = false
    var detail: String?
    var entries: UInt64?

    static let done = StepSuccess()
    static let alreadyDone = StepSuccess(already: true)
}

/// Why a step failed, as a sentence for people.
struct StepFailure: Error, Sendable {
    let reason: String
    /// The cause for programs, if the failure comes from a layer below.
    var cause: StepCause?

    init(_ reason: String) { self.reason = reason }
    init(_ error: some FailureReason) {
        reason = error.description
        cause = StepCause(error)
    }

    /// Describes a reply that reports no success.
    ///
    /// - Parameter what: What was asked for, unless the step's description already says so.
    init(_ reply: Reply, of what: String? = nil) {
        let prefix = what.map { "\($0): " } ?? ""
        self.init(prefix + Self.reason(reply))
        cause = StepCause(reply)
    }

    private static func reason(_ reply: Reply) -> String {
        switch reply.outcome {
        case .done, .alreadyDone, .inProgress: "the helper's answer belongs to another request"
        case .refused(let rule, let detail): rule.meaning(printable(detail))
        case .malformed(let reason): "the helper does not understand the request (\(reason))"
        case .failed(let failure): reply.facts.runtimeMessage ?? failure.meaning
        case .timedOut: "not done in time"
        case .unsupported: "the helper speaks another version of the protocol"
        }
    }
}

extension Facts {
    /// What a failed runtime reported: its exit status and the end of its standard error.
    var runtimeMessage: String? {
        guard case .runtime(let runtime) = self else { return nil }
        let how =
            runtime.isKilledByFilter
            ? "the runtime was killed at a system call that the helper's filter forbids (ausearch -m SECCOMP, or dmesg, names it)"
            : runtime.status < 0
                ? "the runtime was ended by signal \(-runtime.status)"
                : runtime.status > 0
                    ? "the runtime exited with status \(runtime.status)"
                    : "the runtime exited with status 0, but its state is still there"
        let lines = runtime.errorOutput.split(separator: UInt8(ascii: "\n"))
        guard let last = lines.last else { return how }
        return "\(how): \(printable(Array(last)))"
    }
}

extension RuntimeFacts {
    /// Whether the status says that SIGSYS killed the runtime (seccomp(2)).
    var isKilledByFilter: Bool { status == -31 }
}

/// An error of a layer below, whose description becomes the reason why a step failed.
protocol FailureReason: Error, CustomStringConvertible {}

extension HelperError: FailureReason {}
extension RootError: FailureReason {}
extension ObservationError: FailureReason {}
extension RegistryError: FailureReason {}

/// The value of `body`, or its error as a `StepFailure`.
func orFail<Value: ~Copyable, Failure: FailureReason>(
    _ body: () throws(Failure) -> Value
) throws(StepFailure) -> Value {
    do { return try body() } catch { throw StepFailure(error) }
}
