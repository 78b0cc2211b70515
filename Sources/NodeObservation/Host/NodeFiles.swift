internal import FoundationEssentials
internal import LinuxSystem

/// Files that runtimes leave on a node, by their absolute paths. Nothing is written, and a symbolic link in the last
/// component is not followed.
public struct NodeFiles: Sendable {
    /// The largest file that is read, in bytes; a container's configuration has some kilobytes.
    public static let largest = 8 << 20

    private let prefix: String

    /// - Parameter directory: The directory that holds the node's root directory; empty for this machine's own.
    public init(beneath directory: String = "") { prefix = directory }

    /// The names in a directory that are UTF-8, sorted; empty if there is no such directory.
    func names(in directory: String) throws(ObservationError) -> [String] {
        try entries(of: bytes(directory)).compactMap { String(validating: $0.name, as: UTF8.self) }.sorted()
    }

    /// The content of a regular file; nil if there is none. Throws if it is larger than `largest`, or if this user may
    /// not read it.
    public func contents(of path: String) throws(ObservationError) -> [UInt8]? {
        try regularFile(bytes(path), limit: Self.largest)
    }

    /// The same as text.
    func text(of path: String) throws(ObservationError) -> String? { try contents(of: path)?.text }

    /// Decodes a JSON file; nil if there is none. Throws `.malformed` if it does not have the expected form.
    func json<Value: Decodable>(_ path: String, as type: Value.Type) throws(ObservationError) -> Value? {
        guard let bytes = try contents(of: path) else { return nil }
        guard let value = try? JSONDecoder().decode(type, from: Data(bytes)) else {
            throw .malformed(file: path, line: 1, expected: "JSON as container runtimes write it")
        }
        return value
    }

    /// What is at a path; nil if nothing is.
    public func observation(of path: String) throws(ObservationError) -> FileObservation? {
        try FileObservation.of(prefix + path)
    }

    /// Where cgroup hierarchies are mounted, as on every node: at `/sys/fs/cgroup` that of version 2 alone, or beneath
    /// it those of version 1 (cgroups(7)).
    public func cgroupHierarchies() throws(ObservationError) -> [String] {
        let root = "/sys/fs/cgroup"
        // A cgroup has this file; the tmpfs of version 1 has not.
        if try observation(of: "\(root)/cgroup.procs") != nil { return [root] }
        var found: [String] = []
        for name in try names(in: root) where try observation(of: "\(root)/\(name)")?.kind == .directory {
            found.append("\(root)/\(name)")
        }
        return found
    }

    /// The path as the kernel lists it: `/run` for `/var/run` if that is a symbolic link, as it is on every node today.
    public func canonical(_ path: String) -> String {
        let old = Array(path.utf8)
        let new = VarRun.canonical(old)
        return new != old && VarRun.isRun(at: prefix + "/var/run") ? new.text : path
    }

    /// The path without symbolic links, as policies have to name it; as it is if nothing is there.
    public func resolved(_ path: String) -> String {
        prefix.isEmpty ? resolvedPath(path) ?? path : path
    }

    private func bytes(_ path: String) -> [UInt8] { Array((prefix + path).utf8) }
}
