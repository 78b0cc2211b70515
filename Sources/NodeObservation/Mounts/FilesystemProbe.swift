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
    /// Blocks for at most the given time and a tenth of a second.
    ///
    /// If an earlier child of this process still hangs at that path, or one of any podreap at that filesystem, the
    /// result is `.silent` without asking again: whoever asks again and again leaves one process there, and it ends
    /// when the server is back or gone.
    ///
    /// - Parameter device: The filesystem's, which names the child in process lists; nil if it is unknown.
    public static func ask(
        _ path: String, on device: Mount.Device? = nil, within limit: Duration = .seconds(1)
    ) -> FilesystemProbe {
        let earlier = hanging.withLock { children in
            children.removeAll { hasEnded(child: $0.pid) }
            return children.first { $0.path == path }?.pid
        }
        let name = device.map(childName) ?? "podreap-probe"
        if let child = earlier ?? device.flatMap({ _ in hangingProcess(name) }) { return .silent(child: child) }
        mayBlock()
        let (error, child) = askFilesystem(path, as: name, within: limit)
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

    /// `podreap` and the device's number in eight hexadecimal digits, as the kernel keeps it: a name has 15 bytes.
    private static func childName(_ device: Mount.Device) -> String {
        let number = String(device.major << 20 | device.minor, radix: 16)
        return "podreap" + String(repeating: "0", count: max(0, 8 - number.count)) + number
    }

    /// A process with this name, of this user or root, that waits in the kernel. One in a container may have any name.
    private static func hangingProcess(_ name: String) -> Int32? {
        let pids = (try? ProcessTable.pids()) ?? []
        return pids.first { pid in
            guard let status = try? ProcessStatus.of(pid: pid), status.name == name, status.state == "D",
                let file = (try? contents(of: Array("/proc/\(pid)/status".utf8))) ?? nil,
                let user: UInt32 = statusField("Uid", in: file)?.prefix(while: { $0 != UInt8(ascii: "\t") }).number()
            else { return false }
            return (user == 0 || user == credentials().user) && (try? ProcessStatus.isOfThisNamespace(pid)) == true
        }
    }

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
