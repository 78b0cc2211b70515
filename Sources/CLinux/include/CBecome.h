// What root does to become another user. Returns 0 or -errno.
#pragma once
#include <stddef.h>

// For good. -EBUSY: the process has several threads. call: which call failed.
int become_user(unsigned user, unsigned group, const unsigned *groups, size_t count, const char **call);
