internal import Glibc

/// What an error number means while a sandbox is removed, and what helps; strerror(3) gives the general meaning.
struct ErrorMeaning: Equatable {
    var text: String
    var remedy: String?

    init(_ text: String, _ remedy: String? = nil) {
        self.text = text
        self.remedy = remedy
    }

    /// - Parameters:
    ///   - call: The system call's name, as in `StepCause.call`.
    ///   - path: The path that the call acted on.
    static func of(_ number: Int32, call: String, path: String) -> ErrorMeaning? {
        let place = quoted(path)
        switch number {
        case EBUSY where path.contains("/cgroup"):
            return ErrorMeaning(
                "the cgroup still has processes in it, or cgroups beneath it",
                "find \(place) -name cgroup.procs -exec cat {} +")
        case EBUSY:
            return ErrorMeaning(
                "the kernel still uses it: as a mount point, an overlay's layer or a swap file",
                "grep -l \(place) /proc/*/mountinfo")
        case EINVAL where call == "umount":
            return ErrorMeaning(
                "the mount is locked: it came with a mount namespace of another user namespace, and only the namespace "
                    + "that made it may take it away", "nsenter -t 1 -m umount -l \(place)")
        case EPERM, EACCES:
            return ErrorMeaning(
                "not even root may do it here: a security module forbids it, or an NFS server that maps root to nobody",
                "ausearch -m avc -ts recent; journalctl -k | grep -i -e denied -e apparmor")
        case EROFS:
            return ErrorMeaning(
                "the filesystem is mounted read-only, as the kernel does itself after a disk error",
                "journalctl -k | grep -i -e 'remount' -e 'I/O error'; then repair it, or: mount -o remount,rw …")
        case EIO: return ErrorMeaning("the disk, or the server behind it, failed", "journalctl -k | grep -i 'error'")
        case ESTALE:
            return ErrorMeaning(
                "the NFS server does not know the file any more: the export was moved, or restored from a backup",
                "umount -l \(place)")
        case ENOTCONN:
            return ErrorMeaning("the FUSE filesystem's server has died and left its mount", "umount -l \(place)")
        case ENOTEMPTY:
            return ErrorMeaning(
                "something keeps making files there during the removal", "fuser -v -m \(place)")
        case ENOSPC, EDQUOT:
            return ErrorMeaning(
                "the filesystem is full, and removing needs room too (copy-on-write, a quota, a full journal)",
                "df -h \(place); df -i \(place)")
        case EUCLEAN: return ErrorMeaning("the filesystem is damaged", "unmount it, and run its fsck")
        case ELOOP:
            return ErrorMeaning("there is a symbolic link on the way, which is never followed", "ls -ld \(place)")
        case ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED:
            return ErrorMeaning("the filesystem's server cannot be reached", "bring the server or the network back")
        case EMFILE, ENFILE:
            return ErrorMeaning("too many files are open", "cat /proc/sys/fs/file-nr; ulimit -Hn")
        case ENOMEM, EAGAIN: return ErrorMeaning("memory or processes are short", "free -m; cat /proc/pressure/memory")
        default: return nil
        }
    }
}
