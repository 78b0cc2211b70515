internal import LinuxSystem

// What NodeObservation reads. A name, a process or a cgroup that is gone is an observation; any other error is thrown
// with the call and the path.

extension ObservationError {
    /// Runs one system call on a path.
    static func during<Value: ~Copyable>(
        _ call: String, _ path: @autoclosure () -> String, _ body: () throws(Errno) -> Value
    ) throws(ObservationError) -> Value {
        do throws(Errno) { return try body() } catch {
            throw .failed(call: call, path: path(), code: error.number)
        }
    }

    /// The same; nil if nothing is there.
    static func ifThere<Value: ~Copyable>(
        _ call: String, _ path: @autoclosure () -> String, _ body: () throws(Errno) -> Value
    ) throws(ObservationError) -> Value? {
        do throws(Errno) { return try body() } catch {
            if error.isAbsence { return nil }
            throw .failed(call: call, path: path(), code: error.number)
        }
    }
}

private func open(_ path: [UInt8], _ flags: Int32 = 0) throws(ObservationError) -> Descriptor? {
    mayBlock()
    do throws(Errno) { return try Descriptor.open(path, flags) } catch {
        // With hidepid=1 or 4 (proc(5)), /proc refuses what it does not show at all with hidepid=2.
        let isHidden = error == .notPermitted && path.starts(with: "/proc/".utf8)
        if isHidden || error.isAbsence { return nil }
        throw .failed(call: "open", path: path.text, code: error.number)
    }
}

/// The whole content of a kernel file; nil if it, or the process or cgroup that it describes, does not exist.
func contents(of path: [UInt8]) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path) else { return nil }
    // mountinfo is consistent within one read(2) only, so a piece is large enough for an ordinary node's table.
    return try contents(of: file, path, inPieces: 64 << 10)
}

private func contents(
    of file: borrowing Descriptor, _ path: [UInt8], inPieces size: Int
) throws(ObservationError) -> [UInt8]? {
    do throws(Errno) { return try file.contents(inPieces: size) } catch {
        if error.isAbsence { return nil }
        throw .failed(call: "read", path: path.text, code: error.number)
    }
}

/// The first bytes of a kernel file; nil if it does not exist, or is empty.
func beginning(of path: [UInt8]) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path), let bytes = try? file.read(atMost: 256) else { return nil }
    return bytes.isEmpty ? nil : bytes
}

/// The entries of a directory; empty if it is gone.
func entries(of path: [UInt8]) throws(ObservationError) -> [DirectoryEntry] {
    guard let directory = try open(path, Descriptor.directoryOnly) else { return [] }
    return try entries(of: directory, path)
}

/// The names of the subdirectories of a directory, on a filesystem that reports types; empty if it is gone.
func subdirectories(of path: [UInt8]) throws(ObservationError) -> [[UInt8]] {
    try entries(of: path).filter(\.isDirectory).map(\.name)
}

private func entries(
    of directory: borrowing Descriptor, _ path: [UInt8]
) throws(ObservationError) -> [DirectoryEntry] {
    do throws(Errno) { return try directory.entries() } catch {
        if error.isAbsence { return [] }
        throw .failed(call: "getdents64", path: path.text, code: error.number)
    }
}

/// A directory of a kernel filesystem that is read more than once; its path is resolved only once.
struct KernelDirectory: ~Copyable {
    private let file: Descriptor
    private let path: [UInt8]

    /// nil if there is none.
    init?(_ path: [UInt8]) throws(ObservationError) {
        guard let file = try open(path, Descriptor.directoryOnly) else { return nil }
        self.file = file
        self.path = path
    }

    /// The whole content of a small file in it; nil if the file, or what it describes, does not exist.
    func contents(of name: StaticString) throws(ObservationError) -> [UInt8]? {
        let path = self.path + [slash] + "\(name)".utf8
        mayBlock()
        guard
            let small = try ObservationError.ifThere(
                "openat", path.text, { () throws(Errno) in try file.open(name) })
        else { return nil }
        return try NodeObservation.contents(of: small, path, inPieces: 4 << 10)
    }

    func subdirectories() throws(ObservationError) -> [[UInt8]] {
        try entries(of: file, path).filter(\.isDirectory).map(\.name)
    }
}

/// The whole content of a regular file of at most `limit` bytes; nil if there is none. A symbolic link in the last
/// component is not followed, and opening anything else than a regular file does not wait.
func regularFile(_ path: [UInt8], limit: Int) throws(ObservationError) -> [UInt8]? {
    guard let file = try open(path, Descriptor.regularOnly) else { return nil }
    do throws(Errno) {
        let status = try FileStatus.ofOpen(file.number)
        guard status.kind == .regular else { return nil }
        guard status.size <= limit else { throw .fileTooLarge }
        return try file.contents(atMost: limit)
    } catch {
        throw .failed(call: "read", path: path.text, code: error.number)
    }
}

/// statx(2) without following a symbolic link in the last component; nil if nothing is there.
func status(of path: [UInt8], mountOnly: Bool) throws(ObservationError) -> MountedFileStatus? {
    mayBlock()
    return try ObservationError.ifThere("statx", path.text) { () throws(Errno) in
        try MountedFileStatus.of(path, mountOnly: mountOnly)
    }
}

/// The target of a symbolic link; nil if there is none.
func linkTarget(_ path: String) throws(ObservationError) -> [UInt8]? {
    mayBlock()
    do throws(Errno) { return try LinuxSystem.linkTarget(path) } catch {
        if error.isAbsence || error == .invalid { return nil }
        throw .failed(call: "readlink", path: path, code: error.number)
    }
}

/// The names in a directory such as /proc/PID/fd; empty if it is gone, nil if this user may not list it.
func linkNames(of path: String) throws(ObservationError) -> [String]? {
    do throws(ObservationError) { return try entries(of: Array(path.utf8)).map(\.name.text) } catch {
        if error.isRefusal { return nil }
        throw error
    }
}
