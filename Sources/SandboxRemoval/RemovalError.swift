public import HelperClient
internal import LinuxSystem
public import NodeObservation
public import SandboxRegistry

/// Why a call could not begin, or why a document could not be registered. Nothing was changed, or the description says
/// that this is not known.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum RemovalError: Error, Sendable, CustomStringConvertible {
    case registry(RegistryError)
    case helper(HelperError)
    case observation(ObservationError)
    /// A field of a document is invalid.
    case invalid(field: String, problem: String)
    /// The lock file that keeps two removals of one sandbox apart cannot be used.
    case lock(path: String, errno: Int32)
    /// Another removal of the sandbox did not end in time. `holder` says who works on it, if that is known.
    case busy(sandbox: String, after: Duration, holder: String?)
    /// What a call waited for was not available in its time.
    case overdue(String, after: Duration)
    /// The sandbox was to be assumed dead, but something still holds parts of it. `by` names the holders in sentences;
    /// it is empty if they were reported already.
    case held(sandbox: String, by: [String])
    /// The sandbox was to be assumed dead, but it could not be determined whether anything still holds parts of it.
    case blind(sandbox: String, String)

    public var description: String {
        switch self {
        case .registry(let error): "\(error)"
        case .helper(let error): "\(error)"
        case .observation(let error): "\(error)"
        case .invalid(let field, let problem): "\(field): \(problem)"
        case .lock(let path, let errno): "the lock file \(path) cannot be used: \(Errno(errno))"
        case .busy(let sandbox, let time, let holder):
            """
            \(holder ?? "another podreap") has been busy with the sandbox \(sandbox) for more than \(time.formattedSeconds)
            """
        case .overdue(let what, let time): "\(what) was not available within \(time.formattedSeconds)"
        case .held(let sandbox, let holders):
            """
            the sandbox \(sandbox) is not assumed dead, and nothing was touched\(holders.isEmpty ? "" : ": ")\
            \(holders.joined(separator: "; "))
            """
        case .blind(let sandbox, let why):
            "the sandbox \(sandbox) is not assumed dead, and nothing was touched: \(why)"
        }
    }
}

/// The value of `body`; an observation error is rethrown as `RemovalError.observation`.
func observing<Value>(_ body: () throws(ObservationError) -> Value) throws(RemovalError) -> Value {
    do { return try body() } catch { throw .observation(error) }
}
