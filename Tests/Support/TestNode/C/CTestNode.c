#define _GNU_SOURCE
#include "CTestNode.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULT(call) ({ __typeof__(call) r_ = (call); r_ < 0 ? -errno : r_; })
#define MOST 256

static int split(struct node_texts list, const char *out[MOST + 1]) {
    if (list.count > MOST)
        return -E2BIG;
    const char *next = list.texts;
    for (unsigned index = 0; index < list.count; index++, next += strlen(next) + 1)
        out[index] = next;
    out[list.count] = NULL;
    return 0;
}

// Only this thread's effective uid: the C library's own wrapper would change every thread's.
static int socket_pair_of(uint32_t owner, int out[2]) {
    if (syscall(SYS_setresuid, -1, owner, -1) < 0)
        return -errno;
    int made = RESULT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out));
    int back = RESULT((int)syscall(SYS_setresuid, -1, 0, -1));
    return made < 0 ? made : back;
}

static int own_mounts(const char *binds[], unsigned count) {
    if (count == 0)
        return 0;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    for (unsigned index = 0; index + 1 < count; index += 2) {
        int done = binds[index][0] ? mount(binds[index], binds[index + 1], NULL, MS_BIND, NULL)
                                   : umount2(binds[index + 1], MNT_DETACH);
        if (done < 0)
            return -1;
    }
    return 0;
}

int node_start(const struct node_program *what, int *socket, int *process) {
    const char *arguments[MOST + 1], *environment[MOST + 1], *binds[MOST + 1];
    if (split(what->arguments, arguments) < 0 || split(what->environment, environment) < 0 || split(what->binds, binds) < 0)
        return -E2BIG;
    int pair[2] = {-1, what->input}, failure[2];
    int made = what->input < 0 ? socket_pair_of(what->socketOwner, pair) : 0;
    if (made < 0)
        return made;
    if (pipe2(failure, O_CLOEXEC) < 0)
        return -errno;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pid = RESULT(fork());
    if (pid == 0) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigset_t none;
        sigemptyset(&none);
        for (int number = 1; number < 65; number++)
            sigaction(number, &standard, NULL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int output = what->output < 0 ? null : what->output;
        // Before fd 2 is replaced, which may be where one of them is.
        int errors = fcntl(what->errors < 0 ? null : what->errors, F_DUPFD_CLOEXEC, 3);
        if (own_mounts(binds, what->binds.count) == 0 && dup2(pair[1], 0) == 0 && dup2(output, 1) == 1 && dup2(errors, 2) == 2
            && syscall(SYS_close_range, 3, ~0u, 1 << 2 /* CLOSE_RANGE_CLOEXEC */) == 0
            && chdir("/") == 0 && setgroups(0, NULL) == 0 && setresgid(what->group, what->group, what->group) == 0
            && setresuid(what->user, what->user, what->user) == 0)
            execve(what->program, (char *const *)arguments, (char *const *)environment);
        int error = errno;
        (void)!write(failure[1], &error, sizeof error);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(failure[1]);
    if (what->input < 0)
        close(pair[1]);
    int error = 0;
    if (pid > 0 && read(failure[0], &error, sizeof error) == sizeof error) {
        waitpid(pid, NULL, 0);
        pid = -error;
    }
    close(failure[0]);
    *process = pid > 0 ? RESULT((int)syscall(SYS_pidfd_open, pid, 0)) : -1;
    *socket = pair[0];
    if (pid < 0 && pair[0] >= 0)
        close(pair[0]);
    return pid;
}

int node_wait(int process, int milliseconds, int *status) {
    struct pollfd entry = {.fd = process, .events = POLLIN};
    int ready = RESULT(poll(&entry, 1, milliseconds));
    if (ready <= 0)
        return ready == 0 ? -ETIMEDOUT : ready;
    siginfo_t info = {0};
    if (waitid(P_PIDFD, process, &info, WEXITED) < 0)
        return -errno;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 0;
}

int node_kill(int process, int signal) { return RESULT((int)syscall(SYS_pidfd_send_signal, process, signal, NULL, 0)); }

long node_send(int socket, const void *bytes, size_t size, const int *descriptors, unsigned count) {
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (count > 0 && count <= 2) {
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

long node_receive(int socket, void *bytes, size_t size, int milliseconds, int *descriptor) {
    struct pollfd entry = {.fd = socket, .events = POLLIN};
    int ready = RESULT(poll(&entry, 1, milliseconds));
    if (ready <= 0)
        return ready == 0 ? -ETIMEDOUT : ready;
    struct iovec data = {.iov_base = bytes, .iov_len = size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    // The helper ended with our packet unread; its last answer is still there.
    if (received < 0 && errno == ECONNRESET)
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0)
        return -errno;
    *descriptor = -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(head), sizeof(int));
    return message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EMSGSIZE : received;
}

int node_socket_pair(int type, int out[2]) { return RESULT(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, out)); }
int node_pipe(int out[2]) { return RESULT(pipe2(out, O_CLOEXEC)); }
int node_datagram_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int made = RESULT(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (made >= 0 && bind(made, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(made);
        return -error;
    }
    return made;
}
int node_is_sealed(int memfd) {
    int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, seals = fcntl(memfd, F_GET_SEALS);
    return seals >= 0 && (seals & all) == all;
}

int node_entry(const char *path, int follow, struct node_found *out) {
    struct statx found;
    if (statx(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE | STATX_INO | STATX_BTIME, &found) < 0)
        return -errno;
    *out = (struct node_found){
        .device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor, .inode = found.stx_ino, .mode = found.stx_mode};
    if (found.stx_mask & STATX_BTIME)
        out->birth = found.stx_btime.tv_sec * 1000000000ull + found.stx_btime.tv_nsec;
    return 0;
}
long node_read_link(const char *path, char *bytes, size_t size) { return RESULT(readlink(path, bytes, size)); }

int node_without_openat2(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return RESULT((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}
