internal import CLinux
public import HelperProtocol

/// How the process confines itself before it reads any request.
public enum Confinement {
    /// Closes every inherited descriptor except 0, and opens /dev/null as 1 and 2.
    public static func closeInherited() throws(Outcome) {
        try check(linux_close_range(1, UInt32.max), .open)
        let null: StaticString = "/dev/null"
        for expected in Int32(1)...2 {
            let opened = try check(unsafe linux_open(null.utf8Start, O_RDWR), .open)
            guard opened == expected, linux_dup3(opened, opened, 0) != 0 else {
                throw Outcome(errno: EBADF, .open)
            }
        }
    }

    /// The kernel's default timer slack, in nanoseconds.
    private static var usualSlack: UInt { 50_000 }

    /// Undoes what a hostile parent may have set: signals, masks, timers, environment, limits and working directory.
    /// What can only slow down or end this process is kept: niceness, scheduling class, processors and OOM score.
    public static func forgetParent() throws(Outcome) {
        try check(linux_reset_signals(), .setrlimit)
        try check(linux_no_timers(), .setrlimit)
        // With more slack, no wait would end by its deadline. A value of 0 would select the inherited slack.
        try check(linux_prctl(PR_SET_TIMERSLACK, usualSlack, 0, 0, 0), .setrlimit)
        try check(linux_reset_personality(), .setrlimit)
        // Otherwise this process would have to reap the processes that runtimes leave behind.
        try check(linux_prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), .setrlimit)
        // This fails for a process group's leader. A terminal can stop that one, as it can stop whoever started it;
        // launchers have sessions of their own.
        _ = setsid()
        try check(linux_clear_environment(), .setrlimit)
        try check(linux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), .capset)
        for (number, least) in Limits.resources {
            do throws(Outcome) { try check(linux_raise_limit(number, least), .setrlimit) } catch {
                var detail: [UInt8] = []
                detail.append("resource ")
                detail.append(decimal: UInt64(number))
                detail.append(" needs ")
                detail.append(decimal: least)
                throw .refused(.limitsTooLow, detail: detail)
            }
        }
        try check(linux_set_limit(Int32(RLIMIT_CORE.rawValue), 0, 0), .setrlimit)
        _ = umask(0o077)
        changeToRoot()
    }

    /// Sets NO_NEW_PRIVS, so that no exec gives this process or its children more privileges, and loads a filter. Throws
    /// if the process then does not have exactly the capabilities that it kept.
    static func confine(_ filter: SystemCallFilter, keeping kept: borrowing Privileges) throws(Outcome) {
        try check(linux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), .capset)
        try check(linux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), .capset)
        try filter.load()
        guard kept.isInForce() else { throw .refused(.confinementFailed) }
    }

    /// The process's real uid: the user that started it.
    public static var realUser: UInt32 { getuid() }
}
