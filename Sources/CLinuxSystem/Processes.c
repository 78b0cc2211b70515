#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int system_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 0 : CPU_COUNT(&set);
}

int system_reap(int process, int *status) {
    siginfo_t info = {0};
    while (waitid((idtype_t)P_PIDFD, (id_t)process, &info, WEXITED | WNOHANG) < 0) {
        if (errno != EINTR) return -errno;
    }
    if (info.si_pid == 0) return -EAGAIN;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 0;
}

int system_spawn_closes_from(void *actions, int first) {
    return -posix_spawn_file_actions_addclosefrom_np(actions, first);
}

char **system_environment(void) { return environ; }
