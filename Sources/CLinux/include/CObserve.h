// What observing needs of the system that Swift cannot reach by itself. Every function returns what the call returns, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Whether the filesystem at a path answers: a child asks it (statx(2) with AT_STATX_FORCE_SYNC), so that only the child
// can hang. 0: it does; -ETIMEDOUT: not within that time; else what it answered.
// child: where it hangs and cannot be reaped, its pid; the kernel ends it when the filesystem lets go.
int observe_filesystem(const char *path, int milliseconds, int *child);
// An extended attribute of a file, not following a last symbolic link: how many bytes it has.
long observe_attribute(const char *path, const char *name, void *value, size_t size);
// 1: mounted nosuid.
int observe_nosuid(const char *path);
int observe_limit(int resource, uint64_t *soft, uint64_t *hard);
// 0: the kernel has mount_setattr(2).
int observe_mount_attributes(void);
// openat(2) to read. Not openat2(2), which systemd's RestrictSUIDSGID= takes away.
int observe_open_at(int directory, const uint8_t *name);
// Which of these processes live in the network namespace that is pinned at a path: 1 for each that does. A child in a user and a
// network namespace of its own asks (rtnetlink(7), RTM_GETNSID), which takes no privilege; -EPERM, -EUSERS, -ENOSPC and others: there
// may be none here.
int observe_network_members(const char *path, const int32_t *pids, uint8_t *inside, unsigned count);
int observe_execute(const char *path);
int observe_log(const char *path);
