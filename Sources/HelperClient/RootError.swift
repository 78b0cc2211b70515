/// Why the helper's policy does not allow a path or a runtime.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum RootError: Error, Sendable, Equatable, CustomStringConvertible {
    case notAbsolute(String)
    case notNormalised(String)
    /// The path lies in none of the roots of the right kind, which are listed.
    case outside(String, roots: [String])
    case wrongDepth(String, root: String, depth: Int, allowed: ClosedRange<Int>)
    /// The path has more components than a request can name.
    case tooDeep(String, root: String)
    case nameNotAllowed(String, root: String, names: String)
    case unknownRuntime(String, known: [String])
    case invalidContainerID(String)

    public var description: String {
        switch self {
        case .notAbsolute(let path): "\"\(path)\" is not an absolute path"
        case .notNormalised(let path): "\(path) is not normalised: components are neither empty nor . or .."
        case .outside(let path, let roots):
            "\(path) lies outside every root of helper.conf; "
                + (roots.isEmpty
                    ? "it has none of that kind" : "it could lie beneath \(roots.joined(separator: " or "))")
        case .wrongDepth(let path, let root, let depth, let allowed):
            """
            \(path) lies \(depth) \(depth == 1 ? "level" : "levels") beneath the root \(root), where helper.conf \
            allows \(Self.words(allowed))
            """
        case .tooDeep(let path, let root): "\(path) lies more than 16 levels beneath the root \(root)"
        case .nameNotAllowed(let path, let root, let names):
            "\(path) has a name that helper.conf does not allow beneath \(root); it allows \(names)"
        case .unknownRuntime(let name, let known):
            "helper.conf has no runtime \"\(name)\"; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .invalidContainerID(let id):
            "\"\(id)\" is no container id: 1 to 128 of A-Z a-z 0-9 _ . + -, the first a letter, a digit or _"
        }
    }

    private static func words(_ range: ClosedRange<Int>) -> String {
        if range.lowerBound == range.upperBound { return "\(range.lowerBound)" }
        return range.upperBound == 16 ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
    }
}
