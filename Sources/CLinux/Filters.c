#define _GNU_SOURCE
#include "CLinux.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

struct program {
    const struct sock_filter *steps;
    unsigned short count;
};
// logs: the kernel's audit log gets a line for each call that the first program does not allow.
struct filter {
    struct program programs[2];
    int logs;
};
#include "Generated/Filters.h"

static int load(struct program program, unsigned flags, uint64_t empty) {
    struct sock_filter steps[512];
    if (program.count > sizeof steps / sizeof *steps)
        return -E2BIG;
    for (unsigned short index = 0; index < program.count; index++) {
        steps[index] = program.steps[index];
        // The path's address differs in each run.
        if (steps[index].k == EMPTY_PATH_LOW)
            steps[index].k = (uint32_t)empty;
        else if (steps[index].k == EMPTY_PATH_HIGH)
            steps[index].k = (uint32_t)(empty >> 32);
    }
    struct sock_fprog loaded = {.len = program.count, .filter = steps};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &loaded) < 0 ? -errno : 0;
}

int linux_filter_calls(enum linux_filter list, const uint8_t *empty) {
    const struct filter *filter = &filters[list];
    int result = load(filter->programs[0], filter->logs ? SECCOMP_FILTER_FLAG_LOG : 0, (uintptr_t)empty);
    // Where two programs give the same answer, the newer one's counts: a call that is known to be absent is not logged.
    if (result == 0 && filter->programs[1].count)
        result = load(filter->programs[1], 0, (uintptr_t)empty);
    return result;
}
