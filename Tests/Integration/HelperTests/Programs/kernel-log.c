// Says which system calls the kernel's audit log is told of (audit(7), SECCOMP records): a line "ready", then "COMMAND NUMBER" for each
// call that a filter did not allow, until it is ended. Reads the same records as auditd, and takes none of them away.
#include <err.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1)};
    int log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (log < 0 || bind(log, (struct sockaddr *)&address, sizeof address) < 0)
        err(1, "the kernel's audit log cannot be read");
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (;;) {
        static union {
            struct nlmsghdr header;
            char bytes[65536];
        } packet;
        long size = recv(log, &packet, sizeof packet - 1, 0);
        if (size < (long)sizeof packet.header || packet.header.nlmsg_type != AUDIT_SECCOMP)
            continue;
        packet.bytes[size] = 0;
        char *text = packet.bytes + sizeof packet.header, *comm = strstr(text, " comm=\""), *number = strstr(text, " syscall=");
        char name[32] = "";
        int call = -1;
        if (comm && number && sscanf(comm, " comm=\"%31[^\"]", name) == 1 && sscanf(number, " syscall=%d", &call) == 1)
            printf("%s %d\n", name, call);
    }
}
