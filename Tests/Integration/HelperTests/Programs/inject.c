// Makes a process that waits in a system call make another one: inject PID NUMBER ARGUMENT...
// Prints "killed SIGNAL" or "returned RESULT".
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifndef __x86_64__
#error "this knows the registers of x86-64 only"
#endif

int main(int count, char **arguments) {
    pid_t pid = atoi(arguments[1]);
    unsigned long long values[7] = {0};
    for (int index = 2; index < count && index < 9; index++)
        values[index - 2] = strtoull(arguments[index], NULL, 0);
    int status;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
        err(1, "ptrace");
    waitpid(pid, &status, 0);
    struct user_regs_struct registers, before;
    ptrace(PTRACE_GETREGS, pid, 0, &registers);
    before = registers;
    registers.rip -= 2;  // the instruction that makes system calls, again
    registers.orig_rax = -1;
    registers.rax = values[0];
    registers.rdi = values[1];
    registers.rsi = values[2];
    registers.rdx = values[3];
    registers.r10 = values[4];
    registers.r8 = values[5];
    registers.r9 = values[6];
    ptrace(PTRACE_SETREGS, pid, 0, &registers);
    ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        printf("killed %d\n", WTERMSIG(status));
        return 0;
    }
    ptrace(PTRACE_GETREGS, pid, 0, &registers);
    printf("returned %lld\n", (long long)registers.rax);
    ptrace(PTRACE_SETREGS, pid, 0, &before);
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return 0;
}
