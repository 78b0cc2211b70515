#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int system_become_user(unsigned user, unsigned group, const unsigned *groups, size_t count, const char **call) {
    // Another thread would have made or opened something as root meanwhile; and the first one, where it has ended, would stay root's.
    struct stat threads;
    *call = "stat /proc/self/task";
    if (stat("/proc/self/task", &threads) < 0) return -errno;
    if (threads.st_nlink != 3) return -EBUSY;
    // In this order: each takes the right to the ones before.
    *call = "setgroups";
    if (setgroups(count, groups) < 0) return -errno;
    *call = "setresgid";
    if (setresgid(group, group, group) < 0) return -errno;
    *call = "setresuid";
    if (setresuid(user, user, user) < 0) return -errno;
    // Whatever fs.suid_dumpable says: the user's other processes get no hold of what root has opened here.
    *call = "prctl";
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -errno;
    // Securebits can keep a process's capabilities when its ids change (capabilities(7)).
    *call = "setresuid (back to root)";
    return setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ? -EPERM : 0;
}
