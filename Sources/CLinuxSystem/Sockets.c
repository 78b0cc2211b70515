#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int system_connect(const char *path, int *descriptor, int *listener) {
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

long system_receive(int socket, void *bytes, size_t size, int *descriptor, int *strange) {
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

int64_t system_sealed_size(int memfd) {
    int seals = fcntl(memfd, F_GET_SEALS);
    if (seals < 0) return -errno;
    if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_WRITE) == 0) return -EPERM;
    struct stat status;
    return fstat(memfd, &status) < 0 ? -errno : status.st_size;
}
