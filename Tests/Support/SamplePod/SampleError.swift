/// Why a sample pod could not be made.
public enum SampleError: Error, Equatable, CustomStringConvertible {
    case notRoot
    /// The mounts of a sample pod would be seen by the whole machine.
    case notPrivate
    case badBase(String)
    /// A system call failed on a path; `reason` is strerror(3)'s text.
    case failed(call: String, path: String, reason: String)
    /// A program did not do its part; `reason` is what it said, if anything.
    case program(command: String, reason: String)

    public var description: String {
        switch self {
        case .notRoot: "a sample pod can be made by root only"
        case .notPrivate:
            "a sample pod needs a private mount namespace: run this beneath `unshare --mount --propagation private`"
        case .badBase(let path): "\(path): not an absolute path of letters, digits and . _ - / alone"
        case .failed(let call, let path, let reason): "\(call) \(path): \(reason)"
        case .program(let command, let reason): "\(command): \(reason)"
        }
    }
}
