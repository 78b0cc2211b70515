internal import CLinuxSystem
internal import Glibc

package var effectiveUser: UInt32 { geteuid() }

/// The effective user and all groups of this process.
package func credentials() -> (user: UInt32, groups: [UInt32]) {
    var groups = [gid_t](repeating: 0, count: 65536)
    let count = unsafe getgroups(Int32(groups.count), &groups)
    return (geteuid(), [getegid()] + groups[..<max(0, Int(count))])
}

/// A user of passwd(5) with its groups of group(5), its own first; nil if there is none.
package func account(_ user: UInt32) -> (group: UInt32, groups: [UInt32])? {
    unsafe found(passwd(), { unsafe getpwuid_r(user, $0, $1, $2, $3) }) { entry in
        let group = unsafe entry.pw_gid
        var groups = [gid_t](repeating: 0, count: 1 << 16)
        var count = Int32(groups.count)
        guard unsafe getgrouplist(entry.pw_name, group, &groups, &count) >= 0 else { return (group, [group]) }
        return (group, Array(groups[..<Int(count)]))
    }
}

/// The number of a user by its name or number (getpwnam_r(3)); nil if there is no such user.
package func userNumber(_ name: String) -> UInt32? {
    if let number = UInt32(name) { return number }
    return unsafe found(passwd(), { unsafe getpwnam_r(name, $0, $1, $2, $3) }) { unsafe $0.pw_uid }
}

/// The number of a group by its name or number (getgrnam_r(3)); nil if there is no such group.
package func groupNumber(_ name: String) -> UInt32? {
    if let number = UInt32(name) { return number }
    return unsafe found(Glibc.group(), { unsafe getgrnam_r(name, $0, $1, $2, $3) }) { unsafe $0.gr_gid }
}

/// What `read` makes of the entry that a function of the C library looks up; nil if there is none.
private func found<Entry, Value>(
    _ empty: Entry,
    _ look: (
        UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    )
        -> Int32,
    _ read: (Entry) -> Value
) -> Value? {
    var entry = empty
    var found: UnsafeMutablePointer<Entry>?
    var buffer = [CChar](repeating: 0, count: 1 << 16)
    let count = buffer.count
    return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
        guard unsafe look(&entry, buffer.baseAddress!, count, &found) == 0, unsafe found != nil else { return nil }
        return read(entry)
    }
}

/// Sets all user ids, group ids and groups, permanently (setgroups(2), setresgid(2), setresuid(2)).
package func becomeUser(_ user: UInt32, _ group: UInt32, _ groups: [UInt32]) throws(SystemCallError) {
    var call: UnsafePointer<CChar>?
    let result = unsafe system_become_user(user, group, groups, groups.count, &call)
    guard result == 0 else {
        throw SystemCallError(unsafe call.map { unsafe String(cString: $0) } ?? "", Errno(-result))
    }
}
