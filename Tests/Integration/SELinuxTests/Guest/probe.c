// What an attacker would try who executes code in a confined process. It runs as root with every capability and without a system
// call filter, so that SELinux alone is in the way; which domain it is in, the label of its file says.
//
//     probe OPERATION [ARGUMENT...]      exit status: 0 it worked, else the error's number
//     probe then PROGRAM ARGUMENT...     becomes another program with nothing but /dev/null open
//     probe nnp then PROGRAM ...         the same with NO_NEW_PRIVS
//     probe serve SOCKET PROGRAM         not an attack: starts the program for each connection, as init does
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int status(long result) { return result < 0 ? errno : 0; }

static int open_close(const char *path, int flags) {
    int file = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0600);
    return status(file);
}

// Whether this process is in the domain, and whether it has NO_NEW_PRIVS.
static int context(const char *type, const char *nnp) {
    char now[256] = "", wanted[128];
    int file = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, now, sizeof now - 1) < 0) return errno;
    snprintf(wanted, sizeof wanted, ":%s:", type);
    if (!strstr(now, wanted)) return 120;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == atoi(nnp) ? 0 : 121;
}

static int write_attribute(const char *name, const char *value) {
    char path[64];
    snprintf(path, sizeof path, "/proc/thread-self/attr/%s", name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    return file < 0 || write(file, value, strlen(value)) < 0;
}

// As a service manager does with podreap-helper.socket: listens, with the labels that it takes from the policy, and starts the
// program for each connection, as root and with NO_NEW_PRIVS.
static int serve(const char *path, char *program) {
    if (write_attribute("sockcreate", "system_u:system_r:podreap_helper_t:s0") ||
        write_attribute("fscreate", "system_u:object_r:podreap_runtime_t:s0"))
        return errno;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || chmod(path, 0666) || listen(listening, 16)) return errno;
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept(listening, NULL, NULL);
        if (connection < 0) return errno;
        if (fork() == 0) {
            char *arguments[] = {program, NULL}, *environment[] = {NULL};
            signal(SIGCHLD, SIG_DFL);
            dup2(connection, 0);
            dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 1);
            dup2(1, 2);
            syscall(SYS_close_range, 3, ~0U, 0);
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            execve(program, arguments, environment);
            _exit(126);
        }
        close(connection);
    }
}

static int then(char **arguments) {
    syscall(SYS_close_range, 0, ~0U, 0);
    for (int number = 0; number < 3; number++) open("/dev/null", O_RDWR);
    char *environment[] = {NULL};
    execve(arguments[0], arguments, environment);
    return errno;
}

int main(int count, char **argument) {
    if (count > 3 && !strcmp(argument[1], "nnp")) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
        argument++, count--;
    }
    if (count < 2) return 122;
    const char *operation = argument[1];
    const char *first = count > 2 ? argument[2] : "", *second = count > 3 ? argument[3] : "";
    if (!strcmp(operation, "then") && count > 2) return then(argument + 2);
    if (!strcmp(operation, "serve") && count > 3) return serve(first, argument[3]);
    if (!strcmp(operation, "context")) return context(first, second);
    if (!strcmp(operation, "read")) return open_close(first, O_RDONLY);
    if (!strcmp(operation, "write")) return open_close(first, O_WRONLY | O_APPEND);
    if (!strcmp(operation, "create")) return open_close(first, O_WRONLY | O_CREAT | O_EXCL);
    if (!strcmp(operation, "unlink")) return status(unlink(first));
    if (!strcmp(operation, "rmdir")) return status(rmdir(first));
    if (!strcmp(operation, "mkdir")) return status(mkdir(first, 0700));
    if (!strcmp(operation, "rename")) return status(rename(first, second));
    if (!strcmp(operation, "chmod")) return status(chmod(first, 0777));
    if (!strcmp(operation, "mount")) return status(mount("none", first, "tmpfs", 0, NULL));
    if (!strcmp(operation, "umount")) return status(umount2(first, MNT_DETACH | UMOUNT_NOFOLLOW));
    if (!strcmp(operation, "enter")) {
        int space = open(first, O_RDONLY | O_CLOEXEC);
        return space < 0 ? errno : status(setns(space, 0));
    }
    if (!strcmp(operation, "unshare")) return status(unshare(CLONE_NEWNS));
    if (!strcmp(operation, "kill")) return status(kill(atoi(first), atoi(second)));
    if (!strcmp(operation, "trace")) return status(ptrace(PTRACE_SEIZE, atoi(first), 0, 0));
    if (!strcmp(operation, "tcp")) return status(socket(AF_INET, SOCK_STREAM, 0));
    if (!strcmp(operation, "packet")) return status(socket(AF_PACKET, SOCK_RAW, 0));
    if (!strcmp(operation, "netlink")) return status(socket(AF_NETLINK, SOCK_RAW, 0));
    if (!strcmp(operation, "module")) {
        int file = open(first, O_RDONLY | O_CLOEXEC);
        return file < 0 ? errno : status(syscall(SYS_finit_module, file, "", 0));
    }
    if (!strcmp(operation, "enforce")) {
        int file = open("/sys/fs/selinux/enforce", O_WRONLY | O_CLOEXEC);
        return file < 0 ? errno : status(write(file, "0", 1));
    }
    return 123;
}
