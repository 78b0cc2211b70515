// Starts a process in another's PID namespace, which ends at once, and never reaps it: careless-parent PID
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    char path[64];
    siginfo_t end;
    if (count != 2) errx(1, "usage: careless-parent PID");
    snprintf(path, sizeof path, "/proc/%s/ns/pid", arguments[1]);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWPID) < 0) err(1, "%s", path);
    pid_t child = fork();
    if (child < 0) err(1, "fork");
    if (child == 0) _exit(0);
    // Waits for its end, and leaves it a zombie.
    if (waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) < 0) err(1, "waitid");
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
