internal import CLinux
internal import Glibc

/// The module's only calls into C.
enum SystemCalls {
    static var effectiveUser: UInt32 { geteuid() }

    /// lstat(2); nil if nothing is there, or if this process may not look.
    static func status(_ path: String) -> Status? {
        var found = stat()
        guard unsafe lstat(path, &found) == 0 else { return nil }
        return Status(user: found.st_uid, group: found.st_gid, mode: found.st_mode)
    }

    /// readlink(2); nil if it is not a symbolic link, or if its target is not text.
    static func linkTarget(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) }
        return count > 0 && count < bytes.count ? String(validating: bytes[..<count], as: UTF8.self) : nil
    }

    static var workingDirectory: String? {
        guard let path = unsafe getcwd(nil, 0) else { return nil }
        defer { unsafe free(path) }
        return unsafe String(validatingCString: path)
    }

    /// A user of passwd(5) with its groups of group(5), its own first; nil if there is none.
    static func account(_ user: UInt32) -> (group: UInt32, groups: [UInt32])? {
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        guard unsafe getpwuid_r(user, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else {
            return nil
        }
        let group = unsafe entry.pw_gid
        var groups = [gid_t](repeating: 0, count: 1 << 16)
        var count = Int32(groups.count)
        guard unsafe getgrouplist(entry.pw_name, group, &groups, &count) >= 0 else { return (group, [group]) }
        return (group, Array(groups[..<Int(count)]))
    }

    /// setgroups(2), setresgid(2) and setresuid(2), permanently.
    static func become(_ user: UInt32, _ group: UInt32, _ groups: [UInt32]) throws(BecomingError) {
        var call: UnsafePointer<CChar>?
        let result = unsafe become_user(user, group, groups, groups.count, &call)
        guard result == 0 else {
            throw BecomingError(
                user: user, call: unsafe call.map { unsafe String(cString: $0) } ?? "",
                problem: unsafe String(cString: strerror(-result)))
        }
    }
}
