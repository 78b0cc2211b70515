internal import Glibc

/// The target of a symbolic link (readlink(2)).
package func linkTarget(_ path: String) throws(Errno) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = try checkCall(
        unsafe buffer.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) })
    return Array(buffer[..<count])
}

/// The target of a symbolic link as text; nil if the path is not a symbolic link, or if its target is not text or was
/// cut.
package func linkText(_ path: String) -> String? {
    guard let target = try? linkTarget(path), !target.isEmpty, target.count < 4096 else { return nil }
    return String(validating: target, as: UTF8.self)
}

/// The path with symbolic links resolved (realpath(3)); nil if nothing is there.
package func resolvedPath(_ path: String) -> String? {
    guard let found = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
}

/// nil if it is not text, or cannot be known.
package var workingDirectory: String? {
    guard let path = unsafe getcwd(nil, 0) else { return nil }
    defer { unsafe free(path) }
    return unsafe String(validatingCString: path)
}

/// The path of this program's file.
package var programPath: String {
    (try? linkTarget("/proc/self/exe")).map { String(decoding: $0, as: UTF8.self) } ?? ""
}

/// Whether `path` is `directory` or lies beneath it: `/a/bc` does not lie beneath `/a/b`. Neither ends with a slash.
package func isBeneath(_ directory: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Bool {
    guard path.count >= directory.count, path.starts(with: directory) else { return false }
    return path.count == directory.count || path[path.startIndex + directory.count] == slash
}

package func isBeneath(_ directory: [UInt8], _ path: [UInt8]) -> Bool { isBeneath(directory[...], path[...]) }

package func isBeneath(_ directory: String, _ path: String) -> Bool {
    isBeneath(Array(directory.utf8)[...], Array(path.utf8)[...])
}

/// `/var/run`, which is a symbolic link to `/run` on every node today.
package enum VarRun {
    /// Whether a path is such a link.
    package static func isRun(at path: String = "/var/run") -> Bool {
        ["/run", "../run"].contains(linkText(path))
    }

    /// The form of a path that the kernel lists: `/run` for `/var/run`.
    package static func canonical(_ path: [UInt8]) -> [UInt8] {
        isBeneath(Array("/var/run".utf8), path) ? Array(path.dropFirst("/var".utf8.count)) : path
    }
}

private let slash = UInt8(ascii: "/")
