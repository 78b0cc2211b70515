public import HelperClient
public import NodeObservation
public import SandboxRegistry

/// Why a call could not be begun, or a document not be registered. Nothing was changed.
public enum RemovalError: Error, Sendable, CustomStringConvertible {
    case registry(RegistryError)
    case helper(HelperError)
    case observation(ObservationError)
    /// A field of a document, and what is wrong with it.
    case invalid(field: String, problem: String)
    /// The file that keeps two removals of one sandbox apart cannot be used.
    case lock(path: String, errno: Int32)
    /// Another removal of the sandbox did not end in time. `holder` says who works on it, where that is known.
    case busy(sandbox: String, after: Duration, holder: String?)
    /// What a removal needs before it can begin was not to be had in time.
    case overdue(String, after: Duration)
    /// A sandbox that is to be taken for dead is not: who has something of it, as sentences; empty where they were told already.
    case held(sandbox: String, by: [String])
    /// Whether anybody has something of a sandbox that is to be taken for dead could not be seen.
    case blind(sandbox: String, String)

    public var description: String {
        switch self {
        case .registry(let error): "\(error)"
        case .helper(let error): "\(error)"
        case .observation(let error): "\(error)"
        case .invalid(let field, let problem): "\(field): \(problem)"
        case .lock(let path, let errno): "the lock file \(path) cannot be used: \(systemErrorText(errno))"
        case .busy(let sandbox, let time, let holder):
            """
            \(holder ?? "another podreap") has been busy with the sandbox \(sandbox) for more than \(time.formattedSeconds)
            """
        case .overdue(let what, let time): "\(what) was not to be had within \(time.formattedSeconds)"
        case .held(let sandbox, let holders):
            """
            the sandbox \(sandbox) is not taken for dead, and nothing was touched\(holders.isEmpty ? "" : ": ")\
            \(holders.joined(separator: "; "))
            """
        case .blind(let sandbox, let why):
            "the sandbox \(sandbox) is not taken for dead, and nothing was touched: \(why)"
        }
    }
}

/// The body's value, or what kept it from looking at the node as the removal's error.
func observing<Value>(_ body: () throws(ObservationError) -> Value) throws(RemovalError) -> Value {
    do { return try body() } catch { throw .observation(error) }
}
