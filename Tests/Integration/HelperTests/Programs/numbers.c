// What becomes of each system call under the filters of a process: numbers PID FIRST-LAST...; where PID is 0, under none.
// Takes the filters that are in force in PID (ptrace(2), PTRACE_SECCOMP_GET_FILTER) and calls each number once, in a process of
// its own, under them, with the runtime's capabilities and with -1 for every argument. Prints "NUMBER kill" (SIGSYS), "NUMBER
// absent" (ENOSYS) or "NUMBER allow".
#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "this knows the system calls of x86-64 only"
#endif

// At first oldest: they are put in force in this order.
static struct sock_fprog filters[8];
static int count;

static void take(pid_t pid) {
    if (pid == 0)
        return;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
        err(1, "ptrace");
    waitpid(pid, NULL, 0);
    for (; count < 8; count++) {
        long length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, count, NULL);
        if (length < 0)
            break;
        filters[count].len = length;
        filters[count].filter = calloc(length, sizeof(struct sock_filter));
        if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, count, filters[count].filter) != length)
            err(1, "filter %d", count);
    }
    if (count == 0 || errno != ENOENT)
        err(1, "filters of %d", pid);
    ptrace(PTRACE_DETACH, pid, 0, 0);
}

static long call(long number, long a, long b, long c, long rest) {
    register long r10 __asm__("r10") = rest;
    register long r8 __asm__("r8") = rest;
    register long r9 __asm__("r9") = rest;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return number;
}

// The same number as a call of 32-bit programs.
static long call32(long number) {
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(-1), "c"(-1), "d"(-1), "S"(-1), "D"(-1) : "r8", "r9", "r10", "r11", "memory");
    return (int)number;
}

static _Noreturn void callOnce(long number, int is32) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    unsigned kept = 1u << CAP_DAC_OVERRIDE | 1u << CAP_KILL;
    struct __user_cap_data_struct sets[2] = {{kept, kept, 0}};
    // What waits is ended by SIGALRM, which its filter cannot forbid.
    struct itimerval soon = {.it_value.tv_usec = 100000};
    setsid();
    setitimer(ITIMER_REAL, &soon, NULL);
    if (syscall(SYS_capset, &header, sets) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        _exit(3);
    for (int index = 0; index < count; index++)
        if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&filters[index], 0) < 0)
            _exit(3);
    long result = is32 ? call32(number) : call(number, -1, -1, -1, -1);
    for (;;)
        call(SYS_exit_group, result == -ENOSYS ? 1 : 0, 0, 0, 0);
}

static void tell(long number, int is32) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        callOnce(number, is32);
    if (child < 0 || waitpid(child, &status, 0) != child)
        err(1, "child");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
        errx(1, "%ld: the filters cannot be put in force", number);
    int killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    int absent = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    printf("%s%ld %s\n", is32 ? "32-bit " : "", number, killed ? "kill" : absent ? "absent" : "allow");
}

int main(int number, char **arguments) {
    take(atoi(arguments[1]));
    for (int index = 2; index < number; index++) {
        char *end;
        unsigned long first = strtoul(arguments[index], &end, 0), last = *end == '-' ? strtoul(end + 1, NULL, 0) : first;
        for (; first <= last; first++)
            tell((long)first, 0);
    }
    tell(20, 1);  // getpid
    return 0;
}
