internal import Glibc

/// Whether a filesystem answers, found out without being able to hang: a child process asks.
public enum FilesystemProbe: Sendable, Equatable {
    case answers
    /// It said nothing within the time. `child`: the pid of who asked, where it hangs for good.
    case silent(child: Int32?)
    /// It answered with an error, such as ENOTCONN of a FUSE server that has died, or ESTALE of NFS.
    case failed(errno: Int32)
    /// This user may not ask it.
    case forbidden

    /// Asks for the status of what is at a path, which a network or FUSE filesystem has to ask its server for. Blocks for at most
    /// that time and a tenth of a second.
    public static func ask(_ path: String, milliseconds: Int32 = 1000) -> FilesystemProbe {
        let (code, child) = askFilesystem(path, milliseconds: milliseconds)
        switch code {
        case 0: return .answers
        case ETIMEDOUT: return .silent(child: child)
        case EACCES, EPERM: return .forbidden
        default: return .failed(errno: code)
        }
    }

    /// Whether a type's data come from a server, which may be gone (filesystems(5)).
    public static func isRemote(_ type: String) -> Bool {
        type.hasPrefix("fuse") && type != "fusectl" || type.hasPrefix("nfs") && type != "nfsd"
            || ["cifs", "smb3", "smbfs", "ceph", "9p", "afs", "lustre", "glusterfs", "ocfs2", "gfs2", "gpfs", "beegfs"]
                .contains(type)
    }

    /// The requests that a FUSE connection's server has not answered, by the minor number of its device; nil where this user
    /// may not know.
    public static func waitingRequests(ofConnection minor: UInt32) -> Int? {
        guard let bytes = try? contents(of: Array("/sys/fs/fuse/connections/\(minor)/waiting".utf8)) else { return nil }
        return bytes.prefix { $0 != newline }.number()
    }
}
