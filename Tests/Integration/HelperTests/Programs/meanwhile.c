// Stops a process where it has not found a path, runs a command, and lets it go on: meanwhile PID PATH COMMAND
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifndef __x86_64__
#error "this knows the registers of x86-64 only"
#endif

static void await(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
        errx(1, "it has ended");
}

int main(int count, char **arguments) {
    if (count != 4)
        errx(2, "PID PATH COMMAND");
    pid_t pid = atoi(arguments[1]);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
        err(1, "ptrace");
    await(pid);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct user_regs_struct registers;
        char path[256] = {0};
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        await(pid);
        ptrace(PTRACE_GETREGS, pid, 0, &registers);
        if (registers.orig_rax != SYS_openat2 || (long)registers.rax != -ENOENT)
            continue;
        struct iovec here = {path, strlen(arguments[2]) + 1}, there = {(void *)registers.rsi, here.iov_len};
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 || strcmp(path, arguments[2]))
            continue;
        int status = system(arguments[3]);
        ptrace(PTRACE_DETACH, pid, 0, 0);
        return status != 0;
    }
}
