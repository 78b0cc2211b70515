// A dead init of a PID namespace that its parent, this process, does not reap; says ready.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    if (unshare(CLONE_NEWPID))
        return 1;
    if (fork() == 0)
        _exit(0);
    usleep(100000);
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
