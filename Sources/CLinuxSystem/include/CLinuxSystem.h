// What the unprivileged half needs of the system that Swift cannot reach by itself. LinuxSystem wraps each function. Every function
// returns what the call returns, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Sockets.c

// Connects to a listening SOCK_SEQPACKET socket. listener: the process that listens there, as the kernel recorded it.
int system_connect(const char *path, int *socket, int *listener);
// Receives one packet; -EAGAIN if there is none. descriptor: the one that came with it, or -1. strange: the packet was cut, or
// carried more than one descriptor.
long system_receive(int socket, void *bytes, size_t size, int *descriptor, int *strange);
// The size of a memfd that can neither shrink nor be written any more; -EPERM if it could.
int64_t system_sealed_size(int memfd);

// Waiting.c

// Makes an epoll(7) instance with a timer in it, whose token is 0, and a bell (eventfd(2)), whose token is 1.
int system_wait_set(int *timer, int *bell);
void system_ring(int bell);
// Reports the token once, when the descriptor is readable or its other end is gone.
int system_arm(int set, int file, uint64_t token);
int system_set_timer(int timer, uint64_t nanoseconds);
// Returns how many tokens of what is ready it has written. If it blocks, it waits until something is ready.
int system_wait(int set, int timer, int blocks, uint64_t *tokens, int most);
// Starts a detached thread with every signal blocked.
int system_thread(void *(*body)(void *), void *argument);

// Processes.c

// How many processors this process may use; 0 if the kernel does not say.
int system_processors(void);
// Reaps a child by its pidfd: its exit status, or the negative number of its signal; -EAGAIN if it has not ended.
int system_reap(int process, int *status);
// Makes a program that is spawned close its descriptors from this one on (posix_spawn_file_actions_addclosefrom_np(3)).
int system_spawn_closes_from(void *actions, int first);
// This process's environment (environ(7)).
char **system_environment(void);

// Becomes another user for good. -EBUSY: the process has several threads. call: the call that failed.
int system_become_user(unsigned user, unsigned group, const unsigned *groups, size_t count, const char **call);

// Filesystems.c

// Whether the filesystem at a path answers: a child asks it (statx(2) with AT_STATX_FORCE_SYNC), so that only the child
// can hang. 0: it does; -ETIMEDOUT: not within that time; else what it answered.
// name: the child's, at most 15 bytes.
// child: if the child hangs and cannot be reaped, its pid; the kernel ends it when the filesystem lets go.
int system_ask_filesystem(const char *path, const char *name, int milliseconds, int *child);
// An extended attribute of a file: how many bytes it has. A symbolic link at the end of the path is not followed.
long system_attribute(const char *path, const char *name, void *value, size_t size);
// 1: mounted nosuid.
int system_nosuid(const char *path);
// 0: the kernel has mount_setattr(2).
int system_mount_attributes(void);

// Which of these processes live in the network namespace that is pinned at a path: 1 for each that does. A child in a user and a
// network namespace of its own asks (rtnetlink(7), RTM_GETNSID), which takes no privilege; -EPERM, -EUSERS, -ENOSPC and others: there
// may be none here.
int system_network_members(const char *path, const int32_t *pids, uint8_t *inside, unsigned count);
