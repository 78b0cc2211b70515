internal import CLinux

/// What tells a file, a directory or a namespace pin from another that takes its name later (statx(2)).
public struct FileObservation: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case directory, file, symbolicLink, other }

    /// The major number in the upper 32 bits, the minor in the lower, as in the helper's replies.
    public let device: UInt64
    /// Of a namespace pin: the namespace's own number.
    public let inode: UInt64
    /// Nanoseconds since 1970; 0 where unknown, as for the root of a mount.
    public let birth: UInt64
    public let mountID: UInt64
    /// Whether something is mounted right here; nil where the kernel does not say (before Linux 5.8).
    public let isMountRoot: Bool?
    public let kind: Kind

    /// Observes what a path names; a symbolic link is not followed where it is the last component. nil where nothing is there.
    ///
    /// A mount at the path itself is not asked anything, so that a dead FUSE or NFS server there cannot hang the caller; one further up can.
    public static func of(_ path: String) throws(ObservationError) -> FileObservation? {
        let bytes = Array(path.utf8)
        guard var found = try status(of: bytes, mountOnly: true) else { return nil }
        let isMountRoot = found.mountRootKnown != 0 ? found.isMountRoot != 0 : nil
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
