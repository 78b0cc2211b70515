internal import CLinux

/// What a filter does with one system call. `policy/seccomp` says why each call is needed, and a test compares the two.
struct SystemCallRule {
    /// `only` allows the call with the tested arguments and kills the process for all others. `absent` answers ENOSYS,
    /// like a kernel that lacks the call.
    enum Action { case allow, only, absent, kill }

    /// A condition on an argument, counted from 0.
    struct Test {
        let argument: UInt32
        let mask: UInt64
        let value: UInt64
        let isUnequal: Bool

        init(_ argument: UInt32, equals value: UInt64, mask: UInt64 = .max, isUnequal: Bool = false) {
            self.argument = argument
            self.value = value
            self.mask = mask
            self.isUnequal = isUnequal
        }

        /// Conditions of which at least one holds exactly if this one does not. For a mask, this is true only if the
        /// value is 0.
        var opposites: [Test] {
            if mask == .max { return [Test(argument, equals: value, isUnequal: true)] }
            return (0..<64).map { UInt64(1) << $0 }.filter { mask & $0 != 0 }
                .map { Test(argument, equals: $0, mask: $0) }
        }
    }

    let name: StaticString
    let tests: [Test]
    let action: Action
    /// Whether only x86-64 has the call. On any other, the C library makes calls that have rules of their own.
    let isX86Only: Bool

    init(_ name: StaticString, _ tests: [Test] = [], action: Action = .allow, isX86Only: Bool = false) {
        self.name = name
        self.tests = tests
        self.action = action
        self.isX86Only = isX86Only
    }
}

/// The rules for one kind of process, and the action for every call that no rule names.
struct SystemCallRules {
    let rest: SystemCallRule.Action
    let rules: [SystemCallRule]

    static var broker: SystemCallRules {
        SystemCallRules(
            rest: .kill,
            rules: named([
                "openat2", "fstatfs", "getdents64", "lseek", "pread64", "pidfd_open", "close", "unlinkat", "fchdir",
                "chdir", "ppoll",
                "capset", "capget", "brk", "munmap", "mremap", "madvise", "futex", "getrandom", "clock_gettime",
                "restart_syscall", "exit_group",
            ]) + [
                SystemCallRule("statx", [flags(2, UInt64(LINUX_STATX_FLAGS), or: UInt64(LINUX_STATX_MORE_FLAGS))]),
                SystemCallRule(
                    "memfd_create", [flags(1, UInt64(LINUX_MEMFD_FLAGS), or: UInt64(LINUX_MFD_NOEXEC_SEAL))]),
                SystemCallRule("sendmsg", [.init(2, equals: UInt64(LINUX_MSG_NOSIGNAL))]),
                SystemCallRule("recvmsg", [.init(2, equals: UInt64(LINUX_MSG_CMSG_CLOEXEC))]),
                SystemCallRule("umount2", [.init(1, equals: UInt64(LINUX_UNMOUNT_FLAGS))]),
                SystemCallRule("mount_setattr", [.init(2, equals: UInt64(LINUX_PRIVATE_FLAGS)), .init(4, equals: 32)]),
                SystemCallRule("open_tree", [.init(2, equals: UInt64(LINUX_COPY_FLAGS))]),
                SystemCallRule("ioctl", [.init(1, equals: UInt64(LINUX_NS_GET_NSTYPE))]),
                SystemCallRule("fcntl", [.init(1, equals: UInt64(LINUX_F_ADD_SEALS))]),
                // Memory must be anonymous, private and not executable: writing to a shared mapping would write to its
                // file.
                SystemCallRule(
                    "mmap",
                    [
                        .init(2, equals: 0, mask: 4), .init(3, equals: UInt64(LINUX_ANONYMOUS_MEMORY)),
                        .init(4, equals: 0xffff_ffff, mask: 0xffff_ffff),
                    ]),
            ])
    }

    /// A test that requires the `needed` flags, permits the `more` flags, and permits no others.
    private static func flags(_ argument: UInt32, _ needed: UInt64, or more: UInt64) -> SystemCallRule.Test {
        .init(argument, equals: needed, mask: ~more)
    }

    /// The launcher, and runc, which inherits the launcher's filter.
    static var runc: SystemCallRules {
        runtime([
            "pipe2", "epoll_pwait", "eventfd2", "sigaltstack", "sched_yield", "sched_getaffinity", "tgkill", "getppid",
            "waitid", "getrlimit", "mincore", "timer_create", "timer_settime", "timer_delete", "setitimer",
        ])
    }

    /// The launcher, and crun, which is executed from a sealed copy and so need not make a copy of itself.
    static var crun: SystemCallRules {
        runtime(
            ["mkdirat", "dup", "umask", "epoll_pwait", "inotify_init1", "inotify_add_watch"],
            x86: ["readlink", "unlink", "rmdir", "epoll_wait"])
    }

    /// The launcher and a runtime that needs the calls in `own` besides those common to all runtimes. Calls that only
    /// later runtimes make are answered as absent, so that the runtime manages without them.
    private static func runtime(_ own: [StaticString], x86: [StaticString] = []) -> SystemCallRules {
        SystemCallRules(
            rest: .absent,
            rules: launcher + pinnedExec + killed + absent + named(own)
                + named(x86 + ["access", "poll"], isX86Only: true)
                + named([
                    "read", "write", "pread64", "lseek", "openat", "openat2", "newfstatat", "fstat", "statfs",
                    "fstatfs", "statx", "faccessat", "faccessat2", "readlinkat", "getdents64", "unlinkat",
                    "ioctl", "fcntl", "epoll_create1", "epoll_ctl", "rt_sigaction", "nanosleep", "clock_nanosleep",
                    "getpid", "gettid", "geteuid", "getuid", "getegid", "getgid", "uname", "socket", "connect", "bind",
                    "getsockname", "getpeername", "getsockopt", "setsockopt",
                ]))
    }

    /// A runtime whose hooks are allowed. A hook may be any program, so everything is allowed except calls that no hook
    /// needs.
    static var hooks: SystemCallRules {
        SystemCallRules(rest: .allow, rules: killed + newMounts)
    }

    /// Calls that kill the process wherever it makes them.
    private static var killed: [SystemCallRule] {
        named(
            [
                "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "bpf", "perf_event_open",
                "userfaultfd", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "mount",
                "move_mount", "fsmount", "mount_setattr", "umount2", "pivot_root", "chroot", "setns", "unshare",
                "reboot", "swapon", "swapoff", "add_key", "request_key", "keyctl", "open_by_handle_at",
                "io_uring_setup", "acct", "quotactl", "settimeofday", "clock_settime",
            ], .kill) + named(["iopl", "ioperm"], .kill, isX86Only: true)
    }

    /// Calls that a runtime is known to try and to manage without. Unlike other absent calls, they are not logged.
    private static var absent: [SystemCallRule] {
        // The flags of clone3 lie in memory, which a filter cannot read.
        newMounts + named(["clone3"], .absent)
    }

    /// The calls with which newer runtimes begin to make a private /proc. Without SYS_ADMIN the kernel refuses that,
    /// and the runtimes use /proc itself.
    private static var newMounts: [SystemCallRule] { named(["open_tree", "fsopen"], .absent) }

    private static var launcher: [SystemCallRule] {
        named([
            "recvmsg", "sendmsg", "ppoll", "pidfd_open", "pidfd_send_signal", "wait4", "kill", "setsid",
            "prctl",
            "prlimit64", "setrlimit", "dup3", "close", "brk", "mmap", "munmap", "mremap", "madvise", "mprotect",
            "futex",
            "getrandom", "clock_gettime", "set_robust_list", "set_tid_address", "rseq", "seccomp",
            "rt_sigprocmask", "rt_sigreturn", "restart_syscall", "exit_group", "exit", "capget",
        ]) + named(["vfork", "arch_prctl"], isX86Only: true) + [
            // New processes and threads are allowed, but no new namespaces.
            SystemCallRule("clone", [.init(0, equals: 0, mask: UInt64(LINUX_CLONE_NAMESPACES))], action: .only)
        ]
    }

    private static var pinnedExec: [SystemCallRule] {
        [
            SystemCallRule(
                "execveat",
                [
                    .init(0, equals: UInt64(LINUX_PROGRAM_DESCRIPTOR)), .isEmptyPath(1),
                    .init(4, equals: UInt64(LINUX_AT_EMPTY_PATH)),
                ], action: .only),
            SystemCallRule("execve", action: .kill),
        ]
    }

    private static func named(
        _ names: [StaticString], _ action: SystemCallRule.Action = .allow, isX86Only: Bool = false
    ) -> [SystemCallRule] { names.map { SystemCallRule($0, action: action, isX86Only: isX86Only) } }
}
