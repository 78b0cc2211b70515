internal import CLinux
public import HelperProtocol

/// What the process does to itself before it reads a byte from anybody.
public enum Confinement {
    /// Limits that must not be lower than this: with less, an operation would stop half way.
    private static var least: [(Int32, UInt64)] {
        [
            (Int32(RLIMIT_NOFILE.rawValue), 256),
            (Int32(RLIMIT_FSIZE.rawValue), UInt64(Limits.outputBytes)),
            (Int32(RLIMIT_AS.rawValue), 2 << 30),
            (Int32(RLIMIT_DATA.rawValue), 1 << 30),
            (Int32(RLIMIT_STACK.rawValue), 1 << 20),
            (Int32(RLIMIT_CPU.rawValue), 3600),
        ]
    }

    /// Closes what was inherited but descriptor 0, and makes 1 and 2 /dev/null.
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

    /// The kernel's own timer slack, in nanoseconds.
    private static var usualSlack: UInt { 50_000 }

    /// Undoes what a hostile parent may have left: signals, masks, timers, environment, limits, working directory. What
    /// can only slow down or end this process stays: niceness, scheduling class, processors, what the kernel kills first.
    public static func forgetParent() throws(Outcome) {
        try check(linux_reset_signals(), .setrlimit)
        try check(linux_no_timers(), .setrlimit)
        // With more, no wait ends by its deadline; 0 would be what was inherited.
        try check(linux_prctl(PR_SET_TIMERSLACK, usualSlack, 0, 0, 0), .setrlimit)
        try check(linux_reset_personality(), .setrlimit)
        // Or what runtimes leave behind would be this process's to reap.
        try check(linux_prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), .setrlimit)
        // Fails for a group's leader, whom a terminal can stop like whoever started it; launchers have sessions of their own.
        _ = setsid()
        try check(linux_clear_environment(), .setrlimit)
        try check(linux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), .capset)
        for (resource, least) in least {
            do throws(Outcome) {
                try check(linux_raise_limit(resource, least), .setrlimit)
            } catch {
                throw .refused(.limitsTooLow, detail: limitText(resource, least))
            }
        }
        try check(linux_set_limit(Int32(RLIMIT_CORE.rawValue), 0, 0), .setrlimit)
        _ = umask(0o077)
        changeToRoot()
    }

    private static func limitText(_ resource: Int32, _ least: UInt64) -> [UInt8] {
        var text: [UInt8] = []
        text.append("resource ")
        text.append(decimal: UInt64(resource))
        text.append(" needs ")
        text.append(decimal: least)
        return text
    }

    /// NO_NEW_PRIVS, so that no exec gives this process or its children more than they have, and the filter.
    static func confine(_ filter: SystemCallRules) throws(Outcome) {
        try check(linux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), .capset)
        try check(linux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), .capset)
        let isLogged = filter.rest == .absent
        try load(filter.rest, filter.rules.filter { $0.action != filter.rest }, logs: isLogged)
        // Of two filters with the same answer the newer one counts: what is known to be absent leaves no line in the log.
        if isLogged { try load(.allow, filter.rules.filter { $0.action == .absent }, logs: false) }
    }

    private static func load(
        _ rest: SystemCallRule.Action, _ rules: [SystemCallRule], logs: Bool
    ) throws(Outcome) {
        let filter = try SystemCallFilter(rest: rest, logs: logs)
        for rule in rules { try filter.add(rule) }
        try filter.load()
    }

    /// The process's real uid: who started it.
    public static var realUser: UInt32 { getuid() }
}

extension Descriptor {
    /// A socket to the system log, or `none`.
    static func systemLog() -> Descriptor { Descriptor(owning: linux_system_log()) }

    /// Sends a line to the system log; a full log is not waited for.
    func log(_ line: [UInt8]) {
        do throws(Outcome) { try send(line) } catch {}
    }
}
