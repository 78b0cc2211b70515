// Calls what the privileged half calls in C (CLinux), as an aarch64 program, and compares what comes back. Run by Tests/Support/Arm64/run under
// an emulator of user programs, which lacks some of the calls: these are named, and only ENOSYS may come back from them.
#define _GNU_SOURCE
#include "CLinux.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong;
#define EXPECT(condition) \
    do { \
        if (!(condition)) { \
            printf("WRONG %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            wrong++; \
        } \
    } while (0)
#define BYTES(text) ((const uint8_t *)(text))

// Whether the emulator has the call that gave this result.
static int has(const char *call, long result) {
    if (result == -ENOSYS)
        printf("not run, the emulator has no %s\n", call);
    return result != -ENOSYS;
}

static void files(void) {
    char directory[] = "/tmp/podreap-arm64-XXXXXX";
    EXPECT(mkdtemp(directory));
    int opened = linux_open(BYTES(directory), O_RDONLY | O_DIRECTORY);
    EXPECT(opened >= 0);
    int made = openat(opened, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0640);
    EXPECT(linux_write(made, "twelve bytes", 12) == 12);
    struct linux_status found, again;
    EXPECT(linux_statx(opened, BYTES("file"), 0, 0, &found) == 0);
    EXPECT(found.size == 12 && (found.mode & 07777) == 0640 && found.links == 1 && found.uid == getuid() && S_ISREG(found.mode));
    EXPECT(linux_statx(made, BYTES(""), LINUX_AT_EMPTY_PATH, 0, &again) == 0);
    EXPECT(again.inode == found.inode && again.device == found.device && again.birth == found.birth && again.mountID == found.mountID);
    EXPECT(linux_statx(opened, BYTES("missing"), 0, 1, &again) == -ENOENT);
    EXPECT(linux_statx(AT_FDCWD, BYTES("/proc"), 0, 1, &again) == 0 && again.mountRootKnown && again.isMountRoot);
    char text[16] = {0};
    EXPECT(linux_pread(made, text, 5, 7) == 5 && strcmp(text, "bytes") == 0);
    EXPECT(linux_filesystem_type(made) > 0);
    EXPECT(symlinkat("file", opened, "link") == 0);
    int linked = linux_openat2(opened, BYTES("link"), O_RDONLY, LINUX_RESOLVE_BENEATH | LINUX_RESOLVE_NO_SYMLINKS);
    if (has("openat2", linked)) {
        EXPECT(linked == -ELOOP);
        EXPECT(linux_openat2(opened, BYTES(".."), O_RDONLY, LINUX_RESOLVE_BENEATH) == -EXDEV);
        int plain = linux_openat2(opened, BYTES("file"), O_RDONLY | O_NOFOLLOW, LINUX_RESOLVE_BENEATH);
        EXPECT(plain >= 0 && fcntl(plain, F_GETFD) == FD_CLOEXEC);
    }
    _Alignas(8) char entries[4096];
    long count = linux_getdents64(opened, entries, sizeof entries), names = 0;
    // struct linux_dirent64: inode, offset, length at 16, type at 18, name at 19.
    for (long at = 0; at < count; at += *(unsigned short *)(entries + at + 16)) {
        names += strcmp(entries + at + 19, "file") == 0 && entries[at + 18] == 8;
        names += strcmp(entries + at + 19, "link") == 0 && entries[at + 18] == 10;
    }
    EXPECT(names == 2);
    EXPECT(linux_unlinkat(opened, BYTES("file"), 0) == 0 && linux_unlinkat(opened, BYTES("link"), 0) == 0);
    EXPECT(linux_unlinkat(opened, BYTES("file"), 0) == -ENOENT);
    EXPECT(linux_unlinkat(AT_FDCWD, BYTES(directory), AT_REMOVEDIR) == 0);
    int kind = linux_namespace_type(opened);
    if (has("NS_GET_NSTYPE", kind))
        EXPECT(kind == -ENOTTY);
    EXPECT(linux_umount2(BYTES("/tmp/podreap-missing"), LINUX_UNMOUNT_FLAGS) == -ENOENT);
    int attributes = linux_make_private(AT_FDCWD, BYTES("/tmp/podreap-missing"));
    if (has("mount_setattr", attributes))
        EXPECT(attributes == -ENOENT);
}

static void memory(void) {
    int output = linux_memfd(BYTES("output")), copy = linux_program_memfd();
    EXPECT(output >= 0 && copy >= 0);
    EXPECT(linux_write(output, "text", 4) == 4 && lseek(output, 0, SEEK_SET) == 0);
    EXPECT(linux_sendfile(copy, output, 4) == 4);
    EXPECT(linux_seal(output) == 0 && linux_write(output, "more", 4) == -EPERM);
}

static void sockets(void) {
    int pair[2], passed[2], truncated, none[2] = {-1, -1};
    EXPECT(linux_socket_pair(pair) == 0);
    EXPECT(linux_socket_option(pair[0], SO_TYPE) == SOCK_SEQPACKET && linux_socket_option(pair[0], SO_DOMAIN) == AF_UNIX);
    uint32_t peer = 1;
    EXPECT(linux_peer_uid(pair[0], &peer) == 0 && peer == getuid());
    struct pollfd entry = {.fd = pair[1], .events = POLLIN};
    int64_t before = linux_monotonic_milliseconds();
    EXPECT(linux_poll(&entry, 1, 1100) == 0 && linux_monotonic_milliseconds() - before >= 1100);
    int files[2] = {pair[0], pair[1]};
    EXPECT(linux_send_packet(pair[0], "packet", 6, files) == 6);
    EXPECT(linux_poll(&entry, 1, -1) == 1 && (entry.revents & POLLIN));
    char bytes[16];
    EXPECT(linux_receive_packet(pair[1], bytes, sizeof bytes, passed, &truncated) == 6 && truncated == 0);
    EXPECT(memcmp(bytes, "packet", 6) == 0 && passed[0] >= 0 && passed[1] >= 0 && passed[0] != passed[1]);
    EXPECT(fcntl(passed[0], F_GETFD) == FD_CLOEXEC && fcntl(passed[1], F_GETFD) == FD_CLOEXEC);
    files[1] = -1;
    EXPECT(linux_send_packet(pair[0], "cut packet", 10, files) == 10);
    EXPECT(linux_receive_packet(pair[1], bytes, 3, passed, &truncated) == 3 && truncated == 2 && passed[0] >= 0 && passed[1] == -1);
    EXPECT(linux_send_packet(pair[0], "", 0, none) == 0 && linux_receive_packet(pair[1], bytes, 3, NULL, &truncated) == 0);
    linux_pass_nothing(pair[1]);
}

static void processes(const char *self) {
    int pid = linux_fork(), status;
    if (pid == 0)
        _exit(linux_clear_environment() == 0 && !getenv("PATH") ? 7 : 8);
    int handle = linux_pidfd_open(pid);
    if (has("pidfd_open", handle)) {
        struct pollfd entry = {.fd = handle, .events = POLLIN};
        EXPECT(linux_poll(&entry, 1, 10000) == 1);
        EXPECT(linux_pidfd_send_signal(handle, 0) == 0);
    }
    EXPECT(linux_reap(pid, &status) == 0 && status == 7);
    pid = linux_fork();
    if (pid == 0)
        for (;;)
            pause();
    EXPECT(linux_kill(pid, SIGKILL) == 0 && linux_reap(pid, &status) == 0 && status == -SIGKILL);
    // The emulator cannot execute an open aarch64 file: that the child ends with 126 shows vfork, dup3 and the exec's failure.
    struct linux_program program = {.file = linux_open(BYTES(self), O_PATH), .output = linux_memfd(BYTES("o")),
                                    .errors = linux_memfd(BYTES("e")), .most = 1 << 20, .empty = BYTES("")};
    char *arguments[] = {(char *)self, "child", NULL}, *environment[] = {NULL};
    pid = linux_spawn(&program, arguments, environment);
    EXPECT(pid > 0 && linux_reap(pid, &status) == 0 && (status == 126 || status == 0));
    EXPECT(LINUX_O_PATH == O_PATH && (LINUX_UNMOUNT_FLAGS == (MNT_DETACH | UMOUNT_NOFOLLOW)));
}

static void itself(void) {
    EXPECT(linux_reset_signals() == 0 && linux_no_timers() == 0);
    EXPECT(linux_raise_limit(RLIMIT_NOFILE, 16) == 0 && linux_raise_limit(RLIMIT_NOFILE, UINT64_MAX) <= 0);
    EXPECT(linux_set_limit(RLIMIT_CORE, 0, 0) == 0);
    EXPECT(linux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    int copy = linux_dup3(1, 20, O_CLOEXEC);
    EXPECT(copy == 20);
    EXPECT(linux_chdir(BYTES("/")) == 0 && linux_fchdir(copy) == -ENOTDIR);
    int closed = linux_close_range(20, 30);
    if (has("close_range", closed))
        EXPECT(closed == 0 && linux_read(20, &closed, 1) == -EBADF);
}

int main(int count, char *arguments[]) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (count > 1)
        return 0;
    files();
    memory();
    sockets();
    processes(arguments[0]);
    itself();
    puts(wrong ? "the C layer is wrong on aarch64" : "the C layer does on aarch64 what it should");
    return wrong != 0;
}
