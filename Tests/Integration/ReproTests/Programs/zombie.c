// zombie [PID]: a dead process that its parent, this one, does not reap: the first of a PID namespace, or one in the process's. Says ready.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
    char path[64];
    siginfo_t end;
    if (count > 1) {
        snprintf(path, sizeof path, "/proc/%s/ns/pid", words[1]);
        int namespace = open(path, O_RDONLY | O_CLOEXEC);
        if (namespace < 0 || setns(namespace, CLONE_NEWPID) < 0)
            return 1;
    } else if (unshare(CLONE_NEWPID) < 0) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child < 0 || waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) < 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
