internal import LinuxSystem
internal import Synchronization

/// Whether a filesystem answers. A child process asks it, so that the caller cannot hang.
public enum FilesystemProbe: Sendable, Equatable {
    case answers
    /// It did not answer in time. `child` is the pid of the process that asked, if that hangs for good.
    case silent(child: Int32?)
    /// It answered with an error, such as ENOTCONN from a FUSE filesystem whose server has died, or ESTALE from NFS.
    case failed(errno: Int32)
    /// This user may not ask it.
    case forbidden

    /// Asks for the status of what is at a path, which a network or FUSE filesystem has to request from its server.
    /// Blocks for at most the given time and a tenth of a second. If an earlier child still hangs at that path, the
    /// result is `.silent` without asking again: a daemon that asks again and again leaves one process there, and reaps
    /// it when the server is back or gone.
    public static func ask(_ path: String, within limit: Duration = .seconds(1)) -> FilesystemProbe {
        let earlier = hanging.withLock { children in
            children.removeAll { hasEnded(child: $0.pid) }
            return children.first { $0.path == path }?.pid
        }
        if let earlier { return .silent(child: earlier) }
        mayBlock()
        let (error, child) = askFilesystem(path, within: limit)
        switch error {
        case nil: return .answers
        case .timedOut:
            if let child { hanging.withLock { $0.append((path, child)) } }
            return .silent(child: child)
        case .access, .notPermitted: return .forbidden
        case let error?: return .failed(errno: error.number)
        }
    }

    /// Children that cannot be killed, until they end.
    private static let hanging = Mutex<[(path: String, pid: Int32)]>([])

    /// Whether the data of a filesystem type come from a server, which may be gone (filesystems(5)).
    public static func isRemote(_ type: String) -> Bool {
        type.hasPrefix("fuse") && type != "fusectl" || type.hasPrefix("nfs") && type != "nfsd"
            || ["cifs", "smb3", "smbfs", "ceph", "9p", "afs", "lustre", "glusterfs", "ocfs2", "gfs2", "gpfs", "beegfs"]
                .contains(type)
    }

    /// The number of requests that a FUSE connection's server has not answered, by the minor number of its device; nil
    /// if this user may not know.
    public static func waitingRequests(ofConnection minor: UInt32) -> Int? {
        guard let bytes = try? contents(of: Array("/sys/fs/fuse/connections/\(minor)/waiting".utf8)) else { return nil }
        return bytes.prefix { $0 != newline }.number()
    }
}
