internal import LinuxSystem

/// Tells a file, a directory or a namespace pin from a later one of the same name (statx(2)).
public struct FileObservation: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case directory, file, symbolicLink, other }

    /// The major number in the upper 32 bits, the minor in the lower, as in the helper's replies.
    public let device: UInt64
    /// For a namespace pin, the namespace's own number.
    public let inode: UInt64
    /// Nanoseconds since 1970; 0 if unknown, as it is for the root of a mount.
    public let birth: UInt64
    public let mountID: UInt64
    /// Whether something is mounted at exactly this path; nil if the kernel does not tell (before Linux 5.8).
    public let isMountRoot: Bool?
    public let kind: Kind

    /// Observes what a path names, without following a symbolic link in the last component; nil if nothing is there.
    ///
    /// A filesystem mounted at the path itself is not asked anything, so that a dead FUSE or NFS server there cannot
    /// hang the caller; one mounted further up can.
    public static func of(_ path: String) throws(ObservationError) -> FileObservation? {
        let bytes = Array(path.utf8)
        guard var found = try status(of: bytes, mountOnly: true) else { return nil }
        let isMountRoot = found.isMountRoot
        if isMountRoot == false {
            guard let complete = try status(of: bytes, mountOnly: false) else { return nil }
            found = complete
        }
        let kind: Kind =
            switch found.mode & 0o170000 {
            case 0o040000: .directory
            case 0o100000: .file
            case 0o120000: .symbolicLink
            default: .other
            }
        return FileObservation(
            device: found.device, inode: found.inode, birth: found.birth, mountID: found.mountID,
            isMountRoot: isMountRoot, kind: kind)
    }
}
