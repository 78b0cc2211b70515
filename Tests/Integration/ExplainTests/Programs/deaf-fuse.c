// Mounts a FUSE filesystem whose server takes every request and answers none but the first, so that who touches it hangs
// beyond the reach of signals until this program ends: deaf-fuse DIRECTORY
#include <err.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static char buffer[1 << 18];
    char options[96];
    int device = open("/dev/fuse", O_RDWR);
    if (count != 2 || device < 0) err(1, "/dev/fuse");
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
    if (mount("deaf", arguments[1], "fuse.deaf", 0, options) < 0) err(1, "mount");
    while (read(device, buffer, sizeof buffer) > 0) {
        struct fuse_in_header *in = (void *)buffer;
        if (in->opcode != FUSE_INIT) continue;
        struct fuse_init_in *asked = (void *)(in + 1);
        struct {
            struct fuse_out_header header;
            struct fuse_init_out body;
        } answer = {
            .header = {.len = sizeof answer, .unique = in->unique},
            .body = {.major = FUSE_KERNEL_VERSION, .minor = asked->minor, .max_write = 4096}};
        if (write(device, &answer, sizeof answer) < 0) err(1, "write");
        puts("ready");
        fflush(stdout);
    }
    return 0;
}
