internal import GRPCCore
internal import SandboxRegistry
internal import SandboxRemoval

// The codes tell a client whether to change its call, to call again, or to have somebody look. The messages make sense
// in a kubelet's log without podreap's own log.

extension RPCError {
    init(_ error: RemovalError) {
        switch error {
        case .registry(let error): self.init(error)
        case .helper, .busy, .overdue: self.init(code: .unavailable, message: "\(error)")
        case .invalid: self.init(code: .invalidArgument, message: "\(error)")
        default: self.init(code: .internalError, message: "\(error)")
        }
    }

    init(_ error: RegistryError) {
        let code: RPCError.Code =
            switch error {
            case .invalidID, .ambiguous, .invalidRecord: .invalidArgument
            case .unknownSandbox: .notFound
            case .idHeld, .nameHeld, .pathHeld: .alreadyExists
            case .beingRemoved: .failedPrecondition
            case .full: .resourceExhausted
            case .busy, .noDirectory, .notWritable: .unavailable
            default: .internalError
            }
        self.init(code: code, message: "\(error)")
    }

    /// The error for the report of an incomplete removal or stop, which says what is left.
    init(_ report: RemovalReport, _ id: String) {
        let failures = report.failures.prefix(3).map { record in
            let what = [record.verb, record.target].filter { !$0.isEmpty }.joined(separator: " ")
            return "\(what): \(record.detail ?? "failed")"
        }
        let more = report.failures.count > 3 ? "; and \(report.failures.count - 3) more" : ""
        self.init(
            code: .internalError,
            message: """
                \(report.purpose.failure) \(asciiOnly(id)) of pod \(report.pod): \
                \(failures.joined(separator: "; "))\(more). What could be done is done; the same call again goes on
                """)
    }

    static func unknown(sandbox id: String) -> RPCError {
        RPCError(code: .notFound, message: "no pod sandbox \(asciiOnly(id)) is registered with podreap")
    }

    static func unknown(container id: String) -> RPCError {
        RPCError(code: .notFound, message: "no container \(asciiOnly(id)) is registered with podreap")
    }
}

extension RemovalPlan.Purpose {
    fileprivate var failure: String {
        switch self {
        case .remove: "cannot remove the whole of pod sandbox"
        case .stop: "cannot stop the whole of pod sandbox"
        case .removeContainer: "cannot remove the whole of container"
        case .stopContainer: "cannot stop container"
        }
    }
}
