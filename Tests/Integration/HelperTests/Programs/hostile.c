// Leaves behind what its arguments say, and becomes the program behind `--`.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// openat2(2) says ENOSYS: every one, or those beneath a descriptor.
static void forgetOpenat2(int all) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, all ? 0x12345678 : (unsigned)AT_FDCWD, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        err(125, "seccomp");
}

// All that may come along with packets (unix(7)); 76 is SO_PASSPIDFD.
static void passAll(void) {
    const int options[] = {SO_PASSCRED, SO_PASSSEC, 76, SO_TIMESTAMP, SO_TIMESTAMPNS}, on = 1;
    for (unsigned index = 0; index < sizeof options / sizeof *options; index++)
        setsockopt(0, SOL_SOCKET, options[index], &on, sizeof on);
}

// Whether this is a process beside the one that becomes the program, and no child of that.
static int isAccomplice(void) {
    pid_t child = fork();
    if (child == 0) {
        if (fork() != 0)
            _exit(0);
        return 1;
    }
    waitpid(child, NULL, 0);
    return 0;
}

// Somebody keeps descriptor 0, and turns all of that on again and again while the program lives.
static void passAllLater(void) {
    pid_t program = getpid();
    if (!isAccomplice())
        return;
    for (; kill(program, 0) == 0; usleep(200))
        passAll();
    _exit(0);
}

static void waitForEnd(pid_t program) {
    while (kill(program, 0) == 0)
        usleep(1000);
}

// Makes a terminal, and leads its session and the group in its foreground; somebody presses ^Z when there is that file.
static void useTerminal(const char *file) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        err(125, "terminal");
    pid_t program = getpid();
    setsid();
    int terminal = open(ptsname(master), O_RDWR);
    if (terminal < 0 || tcgetpgrp(terminal) != program)
        err(125, "controlling terminal");
    if (!isAccomplice())
        return;
    close(0), close(terminal), setpgid(0, 0);
    // As a shell's job: a group is stopped only where somebody in it has a parent in another group of the session.
    if (fork() == 0) {
        close(master), setpgid(0, program);
        waitForEnd(program);
        _exit(0);
    }
    while (access(file, F_OK) < 0 && kill(program, 0) == 0)
        usleep(1000);
    if (write(master, "\x1a", 1) != 1)
        err(125, "press");
    waitForEnd(program);
    _exit(0);
}

int main(int count, char **arguments) {
    static char *environment[3000] = {NULL};
    int index = 1, variables = 0, empty = 0;
    for (; index < count && strcmp(arguments[index], "--"); index++) {
        const char *what = arguments[index];
        if (!strcmp(what, "alarm"))
            alarm(1);
        else if (!strcmp(what, "timer")) {
            struct itimerval soon = {.it_value.tv_usec = 300000};
            setitimer(ITIMER_REAL, &soon, NULL);
            setitimer(ITIMER_PROF, &soon, NULL);
        } else if (!strcmp(what, "ignore")) {
            for (int number = 1; number < 65; number++)
                signal(number, SIG_IGN);
        } else if (!strcmp(what, "block")) {
            sigset_t all;
            sigfillset(&all);
            sigprocmask(SIG_SETMASK, &all, NULL);
        } else if (!strcmp(what, "limit")) {
            struct rlimit limit = {atoll(arguments[index + 2]), atoll(arguments[index + 3])};
            if (setrlimit(atoi(arguments[index + 1]), &limit) < 0)
                err(125, "setrlimit");
            index += 3;
        } else if (!strcmp(what, "close"))
            close(1), close(2);
        else if (!strcmp(what, "open")) {
            for (int number = 0; number < 200; number++)
                if (open("/etc/passwd", O_RDONLY) < 0)
                    err(125, "open");
        } else if (!strcmp(what, "cwd")) {
            if (chdir(arguments[++index]) < 0)
                err(125, "chdir");
        } else if (!strcmp(what, "umask"))
            umask(0777);
        else if (!strcmp(what, "environment")) {
            environment[variables++] = "LD_PRELOAD=/mnt/canary/evil.so";
            environment[variables++] = "PATH=/mnt/canary";
            environment[variables++] = "TZ=/mnt/canary/fifo";
            for (; variables < 2000; variables++)
                if (asprintf(&environment[variables], "V%d=%0500d", variables, variables) < 0)
                    err(125, "memory");
        } else if (!strcmp(what, "no-new-privileges"))
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        else if (!strcmp(what, "slack"))
            prctl(PR_SET_TIMERSLACK, 1000000000000000, 0, 0, 0);
        else if (!strcmp(what, "pending")) {
            sigset_t all;
            sigfillset(&all);
            sigprocmask(SIG_SETMASK, &all, NULL);
            raise(SIGTERM), raise(SIGTSTP), raise(SIGALRM), raise(SIGRTMIN);
        } else if (!strcmp(what, "personality"))
            personality(UNAME26 | STICKY_TIMEOUTS | ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
        else if (!strcmp(what, "subreaper"))
            prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        else if (!strcmp(what, "pass"))
            passAll();
        else if (!strcmp(what, "pass-pidfd")) {
            int on = 1;
            setsockopt(0, SOL_SOCKET, 76, &on, sizeof on);
        } else if (!strcmp(what, "pass-later"))
            passAllLater();
        else if (!strcmp(what, "leader"))
            setpgid(0, 0);
        else if (!strcmp(what, "terminal"))
            useTerminal(arguments[++index]);
        else if (!strcmp(what, "no-openat2"))
            forgetOpenat2(1);
        else if (!strcmp(what, "no-openat2-beneath"))
            forgetOpenat2(0);
        else if (!strcmp(what, "user")) {
            unsigned user = atoi(arguments[++index]);
            if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
                err(125, "setresuid");
        } else if (!strcmp(what, "no-arguments"))
            empty = 1;
        else
            errx(125, "unknown: %s", what);
    }
    char *none[] = {NULL};
    execve(arguments[index + 1], empty ? none : arguments + index + 1, environment);
    err(125, "exec");
}
