#define _GNU_SOURCE
#include "CClient.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int spawn(const char *path, char *const arguments[], int helper_end, int *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *const no_environment[] = {NULL};
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawn_file_actions_init(&files);
    if (error != 0) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -error;
    }
    // dup2 of 0 onto 0 clears FD_CLOEXEC, so a caller without a fd 0 does no harm.
    if ((error = posix_spawn_file_actions_adddup2(&files, helper_end, 0)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_RDWR, 0)) == 0 &&
        (error = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0 &&
        (error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)) == 0 &&
        (error = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (error = posix_spawnattr_setsigmask(&attributes, &none)) == 0) {
        error = posix_spawn(pid, path, &files, &attributes, arguments, no_environment);
    }
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -error;
}

int client_spawn(const char *path, const char *arguments, unsigned count, int *socket, int *process, int *pid) {
    int ends[2];
    char *vector[34] = {(char *)path};
    if (count > 32) return -E2BIG;
    for (unsigned index = 0; index < count; index++) {
        vector[index + 1] = (char *)arguments;
        arguments += strlen(arguments) + 1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
    int error = spawn(path, vector, ends[1], pid);
    close(ends[1]);
    if (error == 0) {
        *process = (int)syscall(SYS_pidfd_open, *pid, 0);
        if (*process >= 0) {
            *socket = ends[0];
            return 0;
        }
        error = -errno;
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    close(ends[0]);
    return error;
}

int client_connect(const char *path, int *descriptor, int *listener) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    // A queue that is full is an error, not a wait.
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return -errno;
    if (connect(made, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(made, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
        int error = errno;
        close(made);
        return -error;
    }
    *descriptor = made;
    *listener = credentials.pid;
    return 0;
}

int client_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 0 : CPU_COUNT(&set);
}

void client_close_half(int socket) { shutdown(socket, SHUT_WR); }

int client_is_closed(int socket) {
    struct pollfd entry = {.fd = socket};
    return poll(&entry, 1, 0) > 0 && (entry.revents & POLLHUP) != 0;
}

int client_kill(int process) { return syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) < 0 ? -errno : 0; }

int client_reap(int process, int *status) {
    siginfo_t info = {0};
    while (waitid((idtype_t)P_PIDFD, (id_t)process, &info, WEXITED | WNOHANG) < 0) {
        if (errno != EINTR) return -errno;
    }
    if (info.si_pid == 0) return -EAGAIN;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 0;
}

long client_send(int socket, const void *bytes, size_t size) {
    long sent;
    do sent = send(socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

long client_receive(int socket, void *bytes, size_t size, int *descriptor, int *strange) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *descriptor = -1;
    long received;
    int resets = 0;
    // A peer that ended before it had read all is reported first, once, even where a packet of its is waiting.
    do received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (received < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
    if (received < 0) return -errno;
    // What has no room is closed by the kernel, which then sets MSG_CTRUNC; alignment leaves room for a second.
    *strange = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        size_t passed = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < passed; index++) {
            int file;
            memcpy(&file, CMSG_DATA(rights) + index * sizeof(int), sizeof(int));
            if (*descriptor < 0) {
                *descriptor = file;
            } else {
                close(file);
                *strange = 1;
            }
        }
    }
    return received;
}

int64_t client_sealed_size(int memfd) {
    int seals = fcntl(memfd, F_GET_SEALS);
    if (seals < 0) return -errno;
    if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_WRITE) == 0) return -EPERM;
    struct stat status;
    return fstat(memfd, &status) < 0 ? -errno : status.st_size;
}

long client_pread(int file, void *bytes, size_t size, int64_t offset) {
    long count;
    do count = pread(file, bytes, size, offset);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

void client_close(int file) { close(file); }

long client_read_link(const char *path, char *bytes, size_t size) {
    long count = readlink(path, bytes, size);
    return count < 0 ? -errno : count;
}

int client_wait_set(int *timer, int *bell) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) return -errno;
    *timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    *bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    // Edge-triggered: each ring is reported once, and nobody has to read the count.
    struct epoll_event due = {.events = EPOLLIN, .data.u64 = 0}, rung = {.events = EPOLLIN | EPOLLET, .data.u64 = 1};
    if (*timer >= 0 && *bell >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, *timer, &due) == 0
        && epoll_ctl(set, EPOLL_CTL_ADD, *bell, &rung) == 0)
        return set;
    int error = errno;
    if (*timer >= 0) close(*timer);
    if (*bell >= 0) close(*bell);
    close(set);
    return -error;
}

void client_ring(int bell) {
    uint64_t once = 1;
    while (write(bell, &once, sizeof once) < 0 && errno == EINTR) {}
}

int client_arm(int set, int file, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = token};
    if (epoll_ctl(set, EPOLL_CTL_MOD, file, &event) == 0) return 0;
    if (errno == ENOENT && epoll_ctl(set, EPOLL_CTL_ADD, file, &event) == 0) return 0;
    return -errno;
}

int client_set_timer(int timer, uint64_t nanoseconds) {
    // All zeros would switch the timer off.
    if (nanoseconds == 0) nanoseconds = 1;
    struct itimerspec due = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)}};
    return timerfd_settime(timer, 0, &due, NULL) < 0 ? -errno : 0;
}

int client_wait(int set, int timer, int blocks, uint64_t *tokens, int most) {
    struct epoll_event events[16];
    int count;
    do count = epoll_wait(set, events, most < 16 ? most : 16, blocks ? -1 : 0);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    for (int index = 0; index < count; index++) {
        tokens[index] = events[index].data.u64;
        uint64_t expirations;
        if (tokens[index] == 0 && read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return -errno;
    }
    return count;
}

const char *client_error_text(int number) { return strerror(number); }

void client_forget_slack(void) { prctl(PR_SET_TIMERSLACK, 50000UL, 0UL, 0UL, 0UL); }

int client_thread(void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return -error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // A new thread inherits the mask, so no signal ever interrupts it.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}
