#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct attribute {
    struct nlattr header;
    int32_t value;
};

struct question {
    struct nlmsghdr header;
    struct rtgenmsg family;
    struct attribute namespace, number;
};

struct answer {
    struct nlmsghdr header;
    union {
        struct nlmsgerr error;
        struct {
            struct rtgenmsg family;
            struct attribute number;
        } found;
        char rest[256];
    };
};

// Gives the namespace that `kind` and `value` name a number in this one's (RTM_NEWNSID), or asks for it (number < 0). 0, or -errno.
static int ask(int socket, uint16_t kind, int32_t value, int32_t number, int32_t *found) {
    struct question question = {
        .header = {.nlmsg_len = sizeof question, .nlmsg_type = RTM_NEWNSID, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .namespace = {{sizeof(struct attribute), kind}, value},
        .number = {{sizeof(struct attribute), NETNSA_NSID}, number},
    };
    if (number < 0) {
        question.header.nlmsg_len = offsetof(struct question, number);
        question.header.nlmsg_type = RTM_GETNSID;
        question.header.nlmsg_flags = NLM_F_REQUEST;
    }
    struct answer answer;
    if (send(socket, &question, question.header.nlmsg_len, 0) < 0) return -errno;
    if (recv(socket, &answer, sizeof answer, 0) < (ssize_t)sizeof answer.header) return -EIO;
    if (answer.header.nlmsg_type == NLMSG_ERROR) return answer.error.error;
    *found = answer.found.number.value;
    return 0;
}

// In the child of a process with several threads nothing but system calls is safe.
static int find(int space, const int32_t *pids, uint8_t *inside, unsigned count) {
    int32_t number = 0;
    // There it has CAP_NET_ADMIN, over nothing but the network namespace that goes with it.
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return errno;
    int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (route < 0) return errno;
    int failure = ask(route, NETNSA_FD, space, 1, &number);
    if (failure < 0) return -failure;
    for (unsigned index = 0; index < count; index++)
        inside[index] = ask(route, NETNSA_PID, pids[index], -1, &number) == 0 && number == 1;
    return 0;
}

int system_network_members(const char *path, const int32_t *pids, uint8_t *inside, unsigned count) {
    int space = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (space < 0) return -errno;
    uint8_t *shared = mmap(NULL, count + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        close(space);
        return -ENOMEM;
    }
    int result = _Fork();
    if (result == 0) _exit(find(space, pids, shared, count));
    int end = 0;
    if (result < 0) {
        result = -errno;
    } else {
        int child = result;
        do result = waitpid(child, &end, 0);
        while (result < 0 && errno == EINTR);
        result = result < 0 ? -errno : WIFEXITED(end) ? -WEXITSTATUS(end) : -EINTR;
    }
    for (unsigned index = 0; index < count; index++) inside[index] = result == 0 && shared[index];
    munmap(shared, count + 1);
    close(space);
    return result;
}
