internal import CLinux

/// What a filter does with one system call. Why each is needed stands in `policy/seccomp`, and a test compares.
struct SystemCallRule {
    /// `absent` answers ENOSYS, as a kernel without the call.
    enum Action { case allow, absent, kill }

    /// A condition on an argument, counted from 0.
    struct Test {
        let argument: UInt32
        let mask: UInt64
        let value: UInt64

        init(_ argument: UInt32, equals value: UInt64, mask: UInt64 = .max) {
            self.argument = argument
            self.value = value
            self.mask = mask
        }
    }

    let name: StaticString
    let tests: [Test]
    let action: Action

    init(_ name: StaticString, _ tests: [Test] = [], action: Action = .allow) {
        self.name = name
        self.tests = tests
        self.action = action
    }
}

/// The rules of each process.
enum SystemCallRules {
    private static var noExecutableMemory: SystemCallRule.Test { .init(2, equals: 0, mask: 4) }

    static var broker: [SystemCallRule] {
        named([
            "openat2", "statx", "fstatfs", "getdents64", "lseek", "pread64", "close", "unlinkat", "fchdir", "chdir",
            "memfd_create", "sendmsg", "recvmsg", "poll", "capset", "capget", "brk", "munmap", "mremap", "madvise",
            "futex",
            "getrandom", "clock_gettime", "restart_syscall", "rt_sigreturn", "exit_group", "exit",
        ]) + [
            SystemCallRule("umount2", [.init(1, equals: UInt64(LINUX_UNMOUNT_FLAGS))]),
            SystemCallRule("mount_setattr", [.init(2, equals: UInt64(LINUX_PRIVATE_FLAGS)), .init(4, equals: 32)]),
            SystemCallRule("ioctl", [.init(1, equals: UInt64(LINUX_NS_GET_NSTYPE))]),
            SystemCallRule("fcntl", [.init(1, equals: UInt64(LINUX_F_ADD_SEALS))]),
            SystemCallRule("mmap", [noExecutableMemory]),
        ]
    }

    /// The launcher and runc, which inherits its filter.
    static var runc: [SystemCallRule] {
        launcher + pinnedExec
            + named([
                "read", "write", "pread64", "lseek", "openat", "openat2", "newfstatat", "fstat", "statfs", "fstatfs",
                "statx", "access", "faccessat2", "readlinkat", "getdents64", "unlinkat", "ioctl", "fcntl", "pipe2",
                "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "sigaltstack", "rt_sigaction",
                "nanosleep", "clock_nanosleep", "sched_yield", "sched_getaffinity", "tgkill", "getpid", "getppid",
                "gettid", "geteuid", "getuid", "getegid", "getgid", "waitid", "uname", "getrlimit",
                "mincore", "timer_create", "timer_settime", "timer_delete", "setitimer", "socket", "connect",
                "getsockname", "getpeername", "setsockopt", "seccomp", "pidfd_send_signal",
            ])
    }

    /// The launcher and crun, which is executed from a sealed copy and so needs no other.
    static var crun: [SystemCallRule] {
        launcher + pinnedExec
            + named([
                "read", "write", "pread64", "lseek", "openat", "openat2", "newfstatat", "fstat", "statfs", "fstatfs",
                "statx", "access", "readlink", "readlinkat", "getdents64", "unlink", "unlinkat", "rmdir", "mkdirat",
                "ioctl", "fcntl", "umask", "uname", "rt_sigaction",
                "getpid", "gettid", "geteuid", "getuid", "getegid", "getgid", "pidfd_send_signal", "nanosleep",
                "clock_nanosleep", "socket", "connect", "epoll_create1", "epoll_ctl", "epoll_wait", "inotify_init1",
                "inotify_add_watch",
            ])
    }

    /// A runtime whose hooks are allowed: they may be any program, so everything but what no hook has business with.
    static var hooks: [SystemCallRule] {
        forbidden.map { SystemCallRule($0, action: .kill) }
    }

    private static var forbidden: [StaticString] {
        [
            "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "userfaultfd", "kexec_load",
            "kexec_file_load", "init_module", "finit_module", "delete_module", "mount", "move_mount", "open_tree",
            "fsopen", "fsmount", "mount_setattr", "umount2", "pivot_root", "chroot", "setns", "unshare", "reboot",
            "swapon", "swapoff", "add_key", "request_key", "keyctl", "open_by_handle_at", "io_uring_setup",
            "acct", "quotactl", "settimeofday", "clock_settime", "iopl", "ioperm",
        ]
    }

    private static var launcher: [SystemCallRule] {
        named([
            "recvmsg", "sendmsg", "poll", "pidfd_open", "vfork", "wait4", "kill", "setsid", "prctl",
            "prlimit64", "setrlimit", "dup3", "close", "brk", "mmap", "munmap", "mremap", "madvise", "mprotect",
            "futex",
            "getrandom", "clock_gettime", "set_robust_list", "set_tid_address", "rseq", "arch_prctl",
            "rt_sigprocmask", "rt_sigreturn", "restart_syscall", "exit_group", "exit", "capget",
        ]) + [
            // Processes and threads, but no namespaces. clone3's flags lie in memory; libraries do without it.
            SystemCallRule("clone", [.init(0, equals: 0, mask: UInt64(LINUX_CLONE_NAMESPACES))]),
            SystemCallRule("clone3", action: .absent),
        ]
    }

    private static var pinnedExec: [SystemCallRule] {
        [
            SystemCallRule(
                "execveat",
                [
                    .init(0, equals: UInt64(LINUX_PROGRAM_DESCRIPTOR)), .isEmptyPath(1),
                    .init(4, equals: UInt64(LINUX_AT_EMPTY_PATH)),
                ])
        ]
    }

    private static func named(_ names: [StaticString]) -> [SystemCallRule] { names.map { SystemCallRule($0) } }
}
