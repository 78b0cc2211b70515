// What HelperClient needs of the system that Swift cannot reach by itself: spawning with a socket on fd 0, packets with
// descriptors, and one thread that waits. Every function returns what the call returns, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Starts a program with one end of a new SOCK_SEQPACKET socketpair on its fd 0, /dev/null on fd 1, our fd 2 and nothing
// else; empty environment, default signals, nothing blocked. arguments: each ended by a NUL, 32 at most.
// process: a pidfd; pid: its number.
int client_spawn(const char *path, const char *arguments, unsigned count, int *socket, int *process, int *pid);
// Connects to a listening SOCK_SEQPACKET socket. listener: the process that listens there, as the kernel recorded it.
int client_connect(const char *path, int *socket, int *listener);
// Closes our half: the other end has nothing more to come, and client_is_closed tells when it is gone itself.
void client_close_half(int socket);
int client_is_closed(int socket);
// Ends a helper at once (it is ours: same real uid).
int client_kill(int process);
// Reaps a process that has ended: its exit status, or the negative number of its signal.
int client_reap(int process, int *status);

// Neither blocks: -EAGAIN instead.
long client_send(int socket, const void *bytes, size_t size);
// descriptor: the one passed along, or -1. strange: the packet was cut, or carried more than one.
long client_receive(int socket, void *bytes, size_t size, int *descriptor, int *strange);
// The size of a memfd that can neither shrink nor be written any more; -EPERM where it could.
int64_t client_sealed_size(int memfd);
long client_pread(int file, void *bytes, size_t size, int64_t offset);
void client_close(int file);
// Where a symbolic link leads (readlink(2)).
long client_read_link(const char *path, char *bytes, size_t size);

// An epoll(7) instance with a timer in it, whose token is 0, and a bell (eventfd(2)), whose token is 1.
int client_wait_set(int *timer, int *bell);
void client_ring(int bell);
// Reports token once, when the descriptor is readable or its other end is gone.
int client_arm(int set, int file, uint64_t token);
int client_set_timer(int timer, uint64_t nanoseconds);
// What is ready, or, where it blocks, as soon as something is: how many tokens were written.
int client_wait(int set, int timer, int blocks, uint64_t *tokens, int most);
// How many processors this process may use; 0: unknown.
int client_processors(void);
const char *client_error_text(int number);
// Has this thread's waits end on time, and those of threads that it starts, whatever slack it has inherited (PR_SET_TIMERSLACK).
void client_forget_slack(void);
// Starts a detached thread with every signal blocked.
int client_thread(void *(*body)(void *), void *argument);
