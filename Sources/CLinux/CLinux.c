#define _GNU_SOURCE
#include "CLinux.h"
#include <grp.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif
#ifndef NS_GET_NSTYPE
#define NS_GET_NSTYPE 0xb703
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

#define RESULT(call) ({ __typeof__(call) r_ = (call); r_ < 0 ? -errno : r_; })

#define NANOSECONDS(time) ((uint64_t)(time).tv_sec * 1000000000u + (time).tv_nsec)

int linux_statx(int directory, const uint8_t *name, int flags, int mountOnly, struct linux_status *out) {
    struct statx found = {0};
    unsigned mask = STATX_MNT_ID_UNIQUE | STATX_MNT_ID;
    flags |= AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (mountOnly)
        flags |= AT_STATX_DONT_SYNC;
    else
        mask |= STATX_BASIC_STATS | STATX_BTIME;
    int result = statx(directory, (const char *)name, flags, mask, &found);
    // Another user's FUSE filesystem denies every question but the one for nothing; the mount's id is told all the same.
    if (result < 0 && errno == EACCES && mountOnly)
        result = statx(directory, (const char *)name, flags, 0, &found);
    if (result < 0)
        return -errno;
    *out = (struct linux_status){
        .device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor,
        .inode = found.stx_ino,
        .birth = found.stx_mask & STATX_BTIME ? NANOSECONDS(found.stx_btime) : 0,
        .modified = NANOSECONDS(found.stx_mtime),
        .size = found.stx_size,
        .mountID = found.stx_mnt_id,
        .mode = found.stx_mode,
        .uid = found.stx_uid,
        .gid = found.stx_gid,
        .links = found.stx_nlink,
        .mountIDUnique = (found.stx_mask & STATX_MNT_ID_UNIQUE) != 0,
        .mountRootKnown = (found.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0,
        .isMountRoot = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
        .isImmutable = (found.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0,
    };
    return 0;
}

int linux_openat2(int directory, const uint8_t *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return RESULT((int)syscall(SYS_openat2, directory, (const char *)path, &how, sizeof how));
}

int linux_unlinkat(int directory, const uint8_t *name, int flags) { return RESULT(unlinkat(directory, (const char *)name, flags)); }
long linux_getdents64(int directory, void *buffer, size_t size) {
    return RESULT(syscall(SYS_getdents64, directory, buffer, size));
}
int linux_umount2(const uint8_t *name, int flags) { return RESULT(umount2((const char *)name, flags)); }
int linux_make_private(int directory, const uint8_t *name) {
    // struct mount_attr, which older headers lack: set, clear, propagation, user namespace.
    const uint64_t attributes[4] = {0, 0, MS_PRIVATE, 0};
    return RESULT((int)syscall(SYS_mount_setattr, directory, (const char *)name, LINUX_PRIVATE_FLAGS, attributes, sizeof attributes));
}
int linux_copy_mount(int directory) { return RESULT((int)syscall(SYS_open_tree, directory, "", LINUX_COPY_FLAGS)); }
int linux_fchdir(int directory) { return RESULT(fchdir(directory)); }
int linux_chdir(const uint8_t *path) { return RESULT(chdir((const char *)path)); }
long linux_filesystem_type(int file) {
    struct statfs found;
    return fstatfs(file, &found) < 0 ? -errno : (long)found.f_type;
}
int linux_namespace_type(int file) { return RESULT(ioctl(file, NS_GET_NSTYPE)); }

int linux_close_range(unsigned first, unsigned last) { return RESULT((int)syscall(SYS_close_range, first, last, 0)); }
int linux_open(const uint8_t *path, int flags) { return RESULT(open((const char *)path, flags | O_CLOEXEC)); }
int linux_dup3(int from, int to, int flags) { return RESULT(dup3(from, to, flags)); }
long linux_read(int file, void *buffer, size_t size) { return RESULT(read(file, buffer, size)); }
long linux_write(int file, const void *bytes, size_t size) { return RESULT(write(file, bytes, size)); }
long linux_pread(int file, void *buffer, size_t size, int64_t offset) { return RESULT(pread(file, buffer, size, offset)); }
int linux_memfd(const uint8_t *name) {
    int made = memfd_create((const char *)name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    return made < 0 && errno == EINVAL ? RESULT(memfd_create((const char *)name, MFD_CLOEXEC | MFD_ALLOW_SEALING)) : RESULT(made);
}
int linux_program_memfd(void) {
    int made = memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    return made < 0 && errno == EINVAL ? RESULT(memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING)) : RESULT(made);
}
long linux_sendfile(int to, int from, size_t size) { return RESULT(sendfile(to, from, NULL, size)); }
int linux_seal(int memfd) {
    return RESULT(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
}
int linux_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return RESULT(prctl(option, a, b, c, d));
}
int linux_set_limit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return RESULT(setrlimit(resource, &limit));
}
int linux_raise_limit(int resource, uint64_t least) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return -errno;
    if (limit.rlim_max < least)
        return -ERANGE;
    limit.rlim_cur = limit.rlim_max;
    return RESULT(setrlimit(resource, &limit));
}
int linux_reset_signals(void) {
    struct sigaction ignored = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &ignored, NULL);  // Drops what is pending.
        sigaction(number, &standard, NULL);  // KILL, STOP and libc's own say EINVAL, rightly
    }
    sigemptyset(&none);
    return RESULT(sigprocmask(SIG_SETMASK, &none, NULL));
}
int linux_reset_personality(void) { return RESULT(personality(PER_LINUX)); }
int linux_clear_environment(void) { return RESULT(clearenv()); }
int linux_no_timers(void) {
    struct itimerval none = {0};
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
        if (setitimer(which, &none, NULL) < 0)
            return -errno;
    return 0;
}

int linux_fork(void) { return RESULT(fork()); }
int linux_pidfd_open(int pid) { return RESULT((int)syscall(SYS_pidfd_open, pid, 0)); }
int linux_pidfd_send_signal(int process, int signal) {
    return RESULT((int)syscall(SYS_pidfd_send_signal, process, signal, NULL, 0));
}
int linux_become_root(void) {
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0)
        return -errno;
    return RESULT(setresuid(0, 0, 0));
}
int linux_spawn(const struct linux_program *program, char *const arguments[], char *const environment[]) {
    struct rlimit output = {.rlim_cur = program->most, .rlim_max = program->most};
    int pid = vfork();
    if (pid != 0)
        return RESULT(pid);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setrlimit(RLIMIT_FSIZE, &output);
    // Descriptor 1 is /dev/null so far, and 0 is none that a program may see.
    if (dup3(1, 0, 0) == 0 && dup3(program->output, 1, 0) == 1 && dup3(program->errors, 2, 0) == 2)
        syscall(SYS_execveat, program->file, program->empty, arguments, environment, AT_EMPTY_PATH);
    _exit(126);
}
int linux_reap(int pid, int *status) {
    int raw;
    if (waitpid(pid, &raw, 0) < 0)
        return -errno;
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -WTERMSIG(raw);
    return 0;
}
int linux_kill(int pid, int signal) { return RESULT(kill(pid, signal)); }
int64_t linux_monotonic_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int linux_socket_pair(int out[2]) { return RESULT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out)); }
int linux_socket_option(int socket, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}
int linux_peer_uid(int socket, uint32_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *uid = peer.uid;
    return 0;
}
void linux_pass_nothing(int socket) {
    // One timestamp option stands for all that this kind of socket knows. What a kernel lacks is off.
    const int options[] = {SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_TIMESTAMP}, off = 0;
    for (size_t index = 0; index < sizeof options / sizeof *options; index++)
        setsockopt(socket, SOL_SOCKET, options[index], &off, sizeof off);
}
int linux_poll(struct pollfd *set, unsigned count, int milliseconds) {
    // ppoll(2) is the one of the two calls that every architecture has.
    struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    return RESULT(ppoll(set, count, milliseconds < 0 ? NULL : &left, NULL));
}

long linux_send_packet(int socket, const void *bytes, size_t size, const int descriptors[2]) {
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    int count = (descriptors[0] >= 0) + (descriptors[1] >= 0);
    if (count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
    }
    return RESULT(sendmsg(socket, &message, MSG_NOSIGNAL));
}

long linux_receive_packet(int socket, void *bytes, size_t size, int descriptors[2], int *truncated) {
    struct iovec data = {.iov_base = bytes, .iov_len = size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (descriptors) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        descriptors[0] = descriptors[1] = -1;
    }
    long received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0)
        return -errno;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
            memcpy(descriptors, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
    *truncated = message.msg_flags & MSG_TRUNC ? 2 : message.msg_flags & MSG_CTRUNC ? 1 : 0;
    return received;
}

int linux_log_socket(void) { return RESULT(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }
long linux_log(int socket, const void *line, size_t size) {
    // By name each time: whoever reads there may have started anew.
    struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    struct iovec data = {.iov_base = (void *)line, .iov_len = size};
    struct msghdr message = {.msg_name = &log, .msg_namelen = sizeof log, .msg_iov = &data, .msg_iovlen = 1};
    return RESULT(sendmsg(socket, &message, MSG_NOSIGNAL));
}
