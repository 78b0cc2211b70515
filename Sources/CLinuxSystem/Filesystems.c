#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// In the child of a process with several threads nothing but system calls is safe.
static void ask(const char *path, const char *name) {
    // It may hang for ever, and must not keep what its parent had open (locks, sockets, a pipe that others read) or where
    // its parent was started. Its name says whose it is.
    syscall(SYS_close_range, 0, ~0U, 0);
    if (chdir("/") < 0) _exit(errno);
    prctl(PR_SET_NAME, name);
    struct statx found;
    int result = statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found);
    _exit(result < 0 ? errno : 0);
}

int system_ask_filesystem(const char *path, const char *name, int milliseconds, int *child) {
    *child = 0;
    pid_t pid = _Fork();
    if (pid < 0) return -errno;
    if (pid == 0) ask(path, name);
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) {
        int error = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -error;
    }
    struct pollfd end = {.fd = process, .events = POLLIN};
    int ready;
    do ready = poll(&end, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        kill(pid, SIGKILL);
        // What hangs but may be killed ends at once; what may not, never does.
        do ready = poll(&end, 1, 100);
        while (ready < 0 && errno == EINTR);
        if (ready <= 0) *child = pid;
        ready = 0;
    }
    siginfo_t info = {0};
    if (*child == 0) waitid((idtype_t)P_PIDFD, (id_t)process, &info, WEXITED);
    close(process);
    if (ready == 0) return -ETIMEDOUT;
    return info.si_code == CLD_EXITED ? -info.si_status : -EINTR;
}

long system_attribute(const char *path, const char *name, void *value, size_t size) {
    long count = lgetxattr(path, name, value, size);
    return count < 0 ? -errno : count;
}

int system_nosuid(const char *path) {
    struct statvfs found;
    return statvfs(path, &found) < 0 ? -errno : (found.f_flag & ST_NOSUID) != 0;
}

int system_mount_attributes(void) {
    // Too small a structure is invalid, so nothing is changed.
    return syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) < 0 && errno == ENOSYS ? -ENOSYS : 0;
}
