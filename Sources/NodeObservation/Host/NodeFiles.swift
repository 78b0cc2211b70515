internal import FoundationEssentials

/// Files that runtimes leave on a node, by their absolute paths. Nothing is written, and no last symbolic link followed.
public struct NodeFiles: Sendable {
    /// The largest file that is read, in bytes; a container's configuration has some kilobytes.
    public static let largest = 8 << 20

    private let prefix: String

    /// - Parameter directory: Where the node's root directory lies; empty: this machine's own.
    public init(beneath directory: String = "") { prefix = directory }

    /// The names in a directory that are UTF-8, sorted; none where there is no such directory.
    func names(in directory: String) throws(ObservationError) -> [String] {
        try entries(of: bytes(directory)).compactMap { String(validating: $0.name, as: UTF8.self) }.sorted()
    }

    /// nil where there is no regular file. Throws where it is larger than `largest`, or not to be read by this user.
    func contents(of path: String) throws(ObservationError) -> [UInt8]? {
        try regularFile(bytes(path), limit: Self.largest)
    }

    /// The same as text.
    func text(of path: String) throws(ObservationError) -> String? { try contents(of: path)?.text }

    /// A file of JSON; nil where there is none. Throws `.malformed` where it does not have the form that is expected.
    func json<Value: Decodable>(_ path: String, as type: Value.Type) throws(ObservationError) -> Value? {
        guard let bytes = try contents(of: path) else { return nil }
        guard let value = try? JSONDecoder().decode(type, from: Data(bytes)) else {
            throw .malformed(file: path, line: 1, expected: "JSON as container runtimes write it")
        }
        return value
    }

    /// What is at a path; nil where nothing is.
    public func observation(of path: String) throws(ObservationError) -> FileObservation? {
        try FileObservation.of(prefix + path)
    }

    /// The path as the kernel lists it: `/run` for `/var/run`, where that is a symbolic link, as on every node of today.
    public func canonical(_ path: String) -> String {
        let old = "/var/run/"
        guard path.hasPrefix(old), let link = try? observation(of: "/var/run"), link.kind == .symbolicLink else {
            return path
        }
        return "/run/" + path.dropFirst(old.count)
    }

    private func bytes(_ path: String) -> [UInt8] { Array((prefix + path).utf8) }
}
