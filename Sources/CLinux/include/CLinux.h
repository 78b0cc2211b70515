// System calls and constants that Swift cannot reach by itself: those behind _GNU_SOURCE, variadic functions and
// function-like macros. One wrapper each, no logic. Every function returns what the call returns, or -errno.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

#define LINUX_O_PATH 010000000
#define LINUX_AT_EMPTY_PATH 0x1000
#define LINUX_UNMOUNT_FLAGS (0x2 | 0x8)  // MNT_DETACH | UMOUNT_NOFOLLOW
#define LINUX_PRIVATE_FLAGS 0x8900  // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_RECURSIVE
#define LINUX_NS_GET_NSTYPE 0xb703
#define LINUX_COPY_FLAGS 0x81001  // OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_EMPTY_PATH
#define LINUX_PROGRAM_DESCRIPTOR 9  // where a launcher keeps its runtime
#define LINUX_CLONE_NEWNET 0x40000000
#define LINUX_CLONE_NEWIPC 0x08000000
#define LINUX_CLONE_NEWUTS 0x04000000
#define LINUX_CLONE_NEWUSER 0x10000000
#define LINUX_NSFS_MAGIC 0x6e736673
#define LINUX_CGROUP_MAGIC 0x27e0eb
#define LINUX_CGROUP2_MAGIC 0x63677270
#define LINUX_RESOLVE_NO_XDEV 0x01
#define LINUX_RESOLVE_NO_MAGICLINKS 0x02
#define LINUX_RESOLVE_NO_SYMLINKS 0x04
#define LINUX_RESOLVE_BENEATH 0x08

// What statx(2) says, in fixed types. mountIDUnique: mountID is STATX_MNT_ID_UNIQUE (Linux 6.8).
struct linux_status {
    uint64_t device, inode, birth, modified, size, mountID;
    uint32_t mode, uid, gid, links;
    uint8_t mountIDUnique, mountRootKnown, isMountRoot, isImmutable;
};

// mountOnly asks for nothing but the mount's id and attributes, and never makes a network filesystem answer.
int linux_statx(int directory, const uint8_t *name, int flags, int mountOnly, struct linux_status *out);
int linux_openat2(int directory, const uint8_t *path, uint64_t flags, uint64_t resolve);
int linux_unlinkat(int directory, const uint8_t *name, int flags);
long linux_getdents64(int directory, void *buffer, size_t size);
int linux_umount2(const uint8_t *name, int flags);
// Makes the mount at an entry, and all beneath it, private (mount_setattr(2)).
int linux_make_private(int directory, const uint8_t *name);
// A copy of a directory's mount alone, which is seen nowhere (open_tree(2)).
int linux_copy_mount(int directory);
int linux_fchdir(int directory);
int linux_chdir(const uint8_t *path);
long linux_filesystem_type(int file);
int linux_namespace_type(int file);

int linux_close_range(unsigned first, unsigned last);
int linux_open(const uint8_t *path, int flags);
int linux_dup3(int from, int to, int flags);
long linux_read(int file, void *buffer, size_t size);
long linux_write(int file, const void *bytes, size_t size);
long linux_pread(int file, void *buffer, size_t size, int64_t offset);
int linux_memfd(const uint8_t *name);
int linux_program_memfd(void);
long linux_sendfile(int to, int from, size_t size);
int linux_seal(int memfd);
// The lists of policy/seccomp.
enum linux_filter { LINUX_FILTER_BROKER, LINUX_FILTER_UNMOUNTER, LINUX_FILTER_RUNC, LINUX_FILTER_CRUN, LINUX_FILTER_HOOKS };
// Allows this process and its children what a list says and nothing else; empty is the path that the list calls EMPTY-PATH.
int linux_filter_calls(enum linux_filter list, const uint8_t *empty);
int linux_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int linux_set_limit(int resource, uint64_t soft, uint64_t hard);
int linux_raise_limit(int resource, uint64_t least);
// Every signal as it is by default, none blocked, none pending.
int linux_reset_signals(void);
int linux_reset_personality(void);
int linux_clear_environment(void);
int linux_no_timers(void);

int linux_fork(void);
int linux_pidfd_open(int pid);
int linux_pidfd_send_signal(int process, int signal);
int linux_become_root(void);
struct linux_program {
    int file, output, errors;
    uint64_t most; // Bytes that it may write to a file.
    const uint8_t *empty; // The empty path that the caller's filter lets execveat(2) name.
};
// Executes a program in a child that leads a session of its own, dies with its parent, and has two descriptors as standard output
// and error and no other open that is to be closed at an exec; it ends with 126 where that fails. vfork(2): this process waits
// until then, and nothing of its memory is copied. Returns the child's pid.
int linux_spawn(const struct linux_program *program, char *const arguments[], char *const environment[]);
// Reaps pid, which has ended: its exit status, or the negative number of the signal that ended it.
int linux_reap(int pid, int *status);
int linux_kill(int pid, int signal);
int64_t linux_monotonic_milliseconds(void);

int linux_socket_pair(int out[2]);
int linux_socket_option(int socket, int option);
int linux_peer_uid(int socket, uint32_t *uid);
// Turns off all that would come along with packets besides descriptors (unix(7)).
void linux_pass_nothing(int socket);
int linux_poll(struct pollfd *set, unsigned count, int milliseconds);
// One packet. descriptors: passed or received by SCM_RIGHTS, -1 where there is none; NULL: none is taken, whatever is sent.
// truncated: 2 where the packet was cut, 1 where more came along than was taken, else 0.
long linux_send_packet(int socket, const void *bytes, size_t size, const int descriptors[2]);
long linux_receive_packet(int socket, void *bytes, size_t size, int descriptors[2], int *truncated);
int linux_log_socket(void);
long linux_log(int socket, const void *line, size_t size);
