internal import CLinux
internal import CLinuxSystem
internal import Glibc

package var ownPID: Int32 { getpid() }

/// How many processors this process may use; 0 if the kernel does not say.
package func processorCount() -> Int { Int(system_processors()) }

/// A process that cannot know its own arguments: Swift reads them from /proc/self/cmdline.
package struct MissingProcError: Error, CustomStringConvertible {
    package let description =
        "there is no /proc that shows this process, so nothing can be told about the node; mount -t proc proc /proc"
}

/// Throws if /proc does not show this process. Without this check, it would run as if it had been given no arguments.
package func requireProc() throws(MissingProcError) {
    if CommandLine.arguments.isEmpty { throw MissingProcError() }
}

/// Ends this process like exit(3).
package func exitProcess(_ status: Int32) -> Never { exit(status) }

/// A variable of the environment (environ(7)); nil if it is not set or empty.
package func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}

/// Removes a variable that programs must not inherit.
package func unsetEnvironmentVariable(_ name: String) { unsafe unsetenv(name) }

/// A pidfd of a process; nil if there is none (pidfd_open(2)).
package func openProcess(_ pid: Int32) throws(Errno) -> Descriptor? {
    let process = linux_pidfd_open(pid)
    return process == -ESRCH ? nil : Descriptor(owning: try check(process))
}

/// Sends a signal to the process that has a pid, if `isMeant` still says so once the process cannot be mistaken for a
/// later one any more (pidfd_send_signal(2)). Returns whether it was sent.
package func send(_ signal: UInt8, to pid: Int32, ifStill isMeant: () -> Bool) throws(Errno) -> Bool {
    guard let process = try openProcess(pid), isMeant() else { return false }
    let result = linux_pidfd_send_signal(process.number, Int32(signal))
    if result == -ESRCH { return false }
    try check(result)
    return true
}

/// Which of these processes live in the network namespace that is pinned at a path; nil if that could not be found out.
package func networkMembers(_ path: String, _ pids: [Int32]) -> [Int32]? {
    var inside = [UInt8](repeating: 0, count: pids.count)
    let result = unsafe system_network_members(path, pids, &inside, UInt32(pids.count))
    return result == 0 ? zip(pids, inside).filter { $0.1 == 1 }.map(\.0) : nil
}

/// Whether the kernel has openat2(2).
package func hasOpenat2() -> Bool {
    let result = unsafe linux_openat2(AT_FDCWD, Array("/\0".utf8), UInt64(O_RDONLY | O_DIRECTORY), 0)
    if result >= 0 { close(result) }
    return result != -ENOSYS
}

/// Whether the kernel has mount_setattr(2).
package func hasMountAttributes() -> Bool { system_mount_attributes() == 0 }

/// The soft and hard limit of a resource (getrlimit(2)), by the number of its RLIMIT_ constant.
package func resourceLimit(_ resource: UInt32) throws(Errno) -> (soft: UInt64, hard: UInt64) {
    var limit = rlimit()
    try checkCall(unsafe getrlimit(__rlimit_resource_t(resource), &limit))
    return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
}

/// Raises the limit on descriptors to the hard limit.
package func raiseDescriptorLimit() {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
}
