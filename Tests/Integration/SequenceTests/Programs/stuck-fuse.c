// A FUSE server that takes requests and never answers but the first: stuck-fuse DIRECTORY
//
// A process that has asked it something waits in the kernel (state D), and no signal reaches it, until this server ends.
#include <err.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static char request[1 << 20];
    char options[64];
    int device = open("/dev/fuse", O_RDWR);
    if (count != 2 || device < 0)
        err(1, "/dev/fuse");
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
    if (mount("stuck", arguments[1], "fuse", 0, options) < 0)
        err(1, "mount");
    for (;;) {
        if (read(device, request, sizeof request) < 0)
            return 0;
        struct fuse_in_header *header = (void *)request;
        if (header->opcode != FUSE_INIT) {
            puts("asked");
            fflush(stdout);
            continue;
        }
        struct {
            struct fuse_out_header header;
            struct fuse_init_out init;
        } answer;
        memset(&answer, 0, sizeof answer);
        answer.header.len = sizeof answer;
        answer.header.unique = header->unique;
        answer.init.major = FUSE_KERNEL_VERSION;
        answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
        answer.init.max_write = 4096;
        if (write(device, &answer, sizeof answer) < 0)
            err(1, "init");
        puts("ready");
        fflush(stdout);
    }
}
