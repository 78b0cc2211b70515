#define _GNU_SOURCE
#include "CLinuxSystem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int system_wait_set(int *timer, int *bell) {
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

void system_ring(int bell) {
    uint64_t once = 1;
    while (write(bell, &once, sizeof once) < 0 && errno == EINTR) {}
}

int system_arm(int set, int file, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = token};
    if (epoll_ctl(set, EPOLL_CTL_MOD, file, &event) == 0) return 0;
    if (errno == ENOENT && epoll_ctl(set, EPOLL_CTL_ADD, file, &event) == 0) return 0;
    return -errno;
}

int system_set_timer(int timer, uint64_t nanoseconds) {
    // All zeros would switch the timer off.
    if (nanoseconds == 0) nanoseconds = 1;
    struct itimerspec due = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)}};
    return timerfd_settime(timer, 0, &due, NULL) < 0 ? -errno : 0;
}

int system_wait(int set, int timer, int blocks, uint64_t *tokens, int most) {
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

int system_thread(void *(*body)(void *), void *argument) {
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
