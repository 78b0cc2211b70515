// What one exchange with a helper costs: its start, the memory that it then has, and requests one after the other.
//
//     exchange PROGRAM [ARGUMENT]    starts PROGRAM with a socket on its fd 0, as podreap does, and measures it
//     exchange --answer              is such a program: it answers whatever comes with the same few bytes
//
// Prints `VALUE UNIT WHAT` lines. The requests are of Sources/HelperProtocol/PROTOCOL.md.
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HELLO = 1, UNMOUNT = 2, ROUNDS = 5000, REPLY_BYTES = 65536 };

// All numbers are little-endian, as x86-64 has them.
struct __attribute__((packed)) header {
    uint32_t magic;
    uint16_t version, kind;
    uint64_t id;
    uint32_t length, deadline;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "exchange: %s\n", what);
    exit(1);
}

// Does what a helper cannot do without: waits, receives, looks for a second request, answers.
static int answer(void) {
    char packet[4097];
    struct pollfd entry = {.fd = 0, .events = POLLIN};
    while (poll(&entry, 1, -1) > 0) {
        struct iovec part = {packet, sizeof packet};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (recvmsg(0, &message, MSG_CMSG_CLOEXEC) <= 0)
            return 0;
        if (poll(&entry, 1, 0) < 0)
            return 1;
        part.iov_len = sizeof(struct header) + 1;
        if (sendmsg(0, &message, MSG_NOSIGNAL) < 0)
            return 1;
    }
    return 1;
}

static uint64_t last_id;

static void ask(int peer, uint16_t kind, const void *body, uint32_t length) {
    char packet[512], reply[REPLY_BYTES];
    struct header header = {0x50524450, 1, kind, ++last_id, length, 10000};
    memcpy(packet, &header, sizeof header);
    memcpy(packet + sizeof header, body, length);
    if (send(peer, packet, sizeof header + length, MSG_NOSIGNAL) < 0)
        fail("the program is gone");
    if (recv(peer, reply, sizeof reply, 0) < (ssize_t)sizeof header)
        fail("no answer");
}

static double repeated(int peer, const void *body, uint32_t length) {
    double began = now();
    for (int round = 0; round < ROUNDS; round++)
        ask(peer, UNMOUNT, body, length);
    return (now() - began) / ROUNDS;
}

static double resident(pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    long kibibytes = -1;
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld", &kibibytes);
    if (!file || kibibytes < 0)
        fail("no memory in /proc");
    fclose(file);
    return kibibytes;
}

int main(int count, char **arguments) {
    if (count < 2)
        fail("usage: exchange PROGRAM [ARGUMENT], or exchange --answer");
    if (!strcmp(arguments[1], "--answer"))
        return answer();
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        fail("socketpair");
    double began = now();
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(ends[1], 0);
        execv(arguments[1], arguments + 1);
        _exit(127);
    }
    close(ends[1]);
    const uint16_t versions[2] = {1, 1};
    ask(ends[0], HELLO, versions, sizeof versions);
    printf("%.3f ms start to the first answer\n", (now() - began) / 1000);
    printf("%.0f KiB resident memory\n", resident(pid));

    // A place in a root that does not exist; and one beneath the first root, where nothing is mounted.
    const unsigned char refused[] = {255, 1, 1, 'x', 1}, nothing[] = {0, 1, 1, 'x', 1};
    repeated(ends[0], refused, sizeof refused);
    printf("%.2f µs round trip of a request that is refused\n", repeated(ends[0], refused, sizeof refused));
    printf("%.2f µs round trip of an unmount where nothing is mounted\n", repeated(ends[0], nothing, sizeof nothing));
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return 0;
}
