// Starts programs as another user, with a socket or nothing on fd 0 and in a mount namespace of their own if that is
// wanted; packets; waiting. Every function returns what the call returns, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Texts each ended by a NUL, one behind the other.
struct node_texts {
    const char *texts;
    unsigned count;
};

struct node_program {
    const char *program;
    struct node_texts arguments, environment;
    // Pairs "source", "target": bind mounts in a mount namespace of the program's own. No source: the target is
    // detached there. No pairs: no namespace.
    struct node_texts binds;
    uint32_t user, group;
    // What becomes fd 0, or -1 for one end of a new SOCK_SEQPACKET socketpair that socketOwner makes.
    int input;
    uint32_t socketOwner;
    // What becomes fd 1 and fd 2, or -1 for /dev/null.
    int output, errors;
};

// socket: our end, or -1; process: a pidfd. The result is the pid.
int node_start(const struct node_program *what, int *socket, int *process);
// Waits for the end of a child: 0 and its exit status or the negative number of its signal; -ETIMEDOUT.
int node_wait(int process, int milliseconds, int *status);
int node_kill(int process, int signal);

// From here on this thread's openat2(2) answers ENOSYS, as under systemd's RestrictSUIDSGID=.
int node_without_openat2(void);

// One packet, with up to two descriptors. Received: -ETIMEDOUT after that time; 0 bytes at the end.
long node_send(int socket, const void *bytes, size_t size, const int *descriptors, unsigned count);
long node_receive(int socket, void *bytes, size_t size, int milliseconds, int *descriptor);
// Socket of any type and domain, with both ends.
int node_socket_pair(int type, int out[2]);
int node_pipe(int out[2]);
// A SOCK_DGRAM socket bound to a path.
int node_datagram_socket(const char *path);
// Whether a memfd has every seal that forbids changing it.
int node_is_sealed(int memfd);

// An entry's type and permissions, its device (major * 2^32 + minor) and inode, and its birth in nanoseconds since 1970 (0 where
// there is none), a last symbolic link followed or not.
struct node_found {
    uint64_t device, inode, birth;
    uint32_t mode;
};
int node_entry(const char *path, int follow, struct node_found *out);
long node_read_link(const char *path, char *bytes, size_t size);
