// Takes a runtime's place, and does what the container's id says. Without a C library, so that every system call it
// makes is one of these: compile with -static -nostdlib -ffreestanding -fno-stack-protector.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <time.h>

#ifndef AT_REMOVEDIR
#define AT_REMOVEDIR 0x200
#endif

#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return number;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
__asm__(".globl _start\n_start: mov x0, sp\nbl begin\n");
#else
#error "say how this machine makes a system call"
#endif

static int equal(const char *one, const char *other) {
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}
static long length(const char *text) {
    long count = 0;
    while (text[count])
        count++;
    return count;
}
static void put(int file, const char *text) { call(__NR_write, file, (long)text, length(text), 0, 0); }
static void end(int status) { call(__NR_exit_group, status, 0, 0, 0, 0); }

static void copy(const char *path) {
    static char buffer[4096];
    long file = call(__NR_openat, AT_FDCWD, (long)path, O_RDONLY, 0, 0), count;
    while ((count = call(__NR_read, file, (long)buffer, sizeof buffer, 0, 0)) > 0)
        call(__NR_write, 1, (long)buffer, count, 0, 0);
}
static void sleepForever(void) {
    struct timespec long_time = {.tv_sec = 1000};
    for (;;)
        call(__NR_nanosleep, (long)&long_time, 0, 0, 0, 0);
}
static void descriptors(void) {
    for (int file = 0; file < 256; file++) {
        static char path[] = "/proc/self/fd/000", target[256];
        path[14] = '0' + file / 100, path[15] = '0' + file / 10 % 10, path[16] = '0' + file % 10;
        const char *shortest = path + 14 + (file < 100) + (file < 10);
        static char name[32] = "/proc/self/fd/";
        for (long index = 0; index <= length(shortest); index++)
            name[14 + index] = shortest[index];
        long count = call(__NR_readlinkat, AT_FDCWD, (long)name, (long)target, sizeof target - 1, 0);
        if (count < 0)
            continue;
        target[count] = 0;
        put(1, shortest), put(1, ": "), put(1, target), put(1, "\n");
    }
}

// A runtime of years to come: calls that no kernel or no list has yet, and does what it is for without them. Its state is the
// directory beneath its root.
static void future(const char *verb, const char *root, const char *id) {
    static const short later[] = {__NR_open_tree, __NR_fsopen, __NR_fspick, __NR_clone3, 600, 601, 602, 603, 604, 605, 606, 607,
                                  608, 609, 610, 611, 612, 613, 614, 615};
    for (unsigned index = 0; index < sizeof later / sizeof *later; index++)
        if (call(later[index], -1, -1, -1, -1, -1) != -ENOSYS)
            put(2, "a call of the future is there"), end(9);
    if (equal(verb, "state"))
        put(1, "{\"status\": \"stopped\"}");
    if (equal(verb, "delete")) {
        long directory = call(__NR_openat, AT_FDCWD, (long)root, O_RDONLY | O_DIRECTORY, 0, 0);
        end(call(__NR_unlinkat, directory, (long)id, AT_REMOVEDIR, 0, 0) != 0);
    }
}

static char *const nothing[] = {0};

void begin(long *stack) {
    long count = stack[0];
    char **arguments = (char **)(stack + 1), **environment = arguments + count + 1;
    const char *verb = count > 3 ? arguments[3] : "", *id = count > 4 ? arguments[4] : "";
    if (equal(id, "--all") && count > 5)
        id = arguments[5];
    if (equal(verb, "list"))
        id = "arguments";
    if (equal(id, "status"))
        copy("/proc/self/status");
    else if (equal(id, "limits"))
        copy("/proc/self/limits");
    else if (equal(id, "descriptors"))
        descriptors();
    else if (equal(id, "arguments")) {
        for (long index = 0; index < count; index++)
            put(1, arguments[index]), put(1, "\n");
        put(1, "environment\n");
        for (; *environment; environment++)
            put(1, *environment), put(1, "\n");
    } else if (equal(id, "sleep"))
        sleepForever();
    else if (equal(id, "sleep-twice")) {
        call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
        sleepForever();
    } else if (equal(id, "orphan")) {
        // Outlives its parent by a moment.
        struct timespec moment = {.tv_sec = 2};
        if (call(__NR_clone, SIGCHLD, 0, 0, 0, 0) == 0)
            call(__NR_nanosleep, (long)&moment, 0, 0, 0, 0);
    } else if (equal(id, "output-100000") || equal(id, "output-endless")) {
        static char block[1000];
        for (int index = 0; index < 1000; index++)
            block[index] = 'a' + index % 26;
        for (int index = 0; index < 100 || equal(id, "output-endless"); index++)
            call(__NR_write, 1, (long)block, sizeof block, 0, 0);
    } else if (equal(id, "errors")) {
        for (int index = 0; index < 1000; index++)
            put(2, "noise\n");
        put(2, "the end");
        end(7);
    } else if (equal(id, "segv"))
        *(volatile int *)8 = 1;
    else if (equal(id, "future"))
        future(verb, arguments[2], id);
    else if (equal(id, "unlisted"))
        call(__NR_sched_getattr, 0, 0, 0, 0, 0);
    else if (equal(id, "exec-pinned-path"))
        call(__NR_execveat, 9, (long)"/bin/sh", (long)nothing, (long)nothing, 0x1000);
    else if (equal(id, "exec-other-descriptor"))
        call(__NR_execveat, 1, (long)"", (long)nothing, (long)nothing, 0x1000);
    else if (equal(id, "exec-here"))
        call(__NR_execveat, AT_FDCWD, (long)"/bin/sh", (long)nothing, (long)nothing, 0);
    else if (equal(id, "execve"))
        call(__NR_execve, (long)"/bin/sh", (long)nothing, (long)nothing, 0, 0);
    else if (equal(id, "mount"))
        call(__NR_mount, (long)"none", (long)"/mnt/canary", (long)"tmpfs", 0, 0);
    else if (equal(id, "umount"))
        call(__NR_umount2, (long)"/mnt/canary", 2, 0, 0, 0);
    else if (equal(id, "ptrace"))
        call(__NR_ptrace, 0, 0, 0, 0, 0);
    else if (equal(id, "setns"))
        call(__NR_setns, 0, 0, 0, 0, 0);
    else if (equal(id, "unshare"))
        call(__NR_unshare, CLONE_NEWNS, 0, 0, 0, 0);
    else if (equal(id, "clone-namespace"))
        call(__NR_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    else if (equal(id, "open-by-handle"))
        call(__NR_open_by_handle_at, 0, 0, 0, 0, 0);
    else if (equal(id, "bpf"))
        call(__NR_bpf, 0, 0, 0, 0, 0);
    else if (equal(id, "io-uring"))
        call(__NR_io_uring_setup, 1, 0, 0, 0, 0);
    else
        put(2, "unknown id"), end(8);
    end(0);
}
