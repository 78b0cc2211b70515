// Mounts a FUSE filesystem whose server never answers, and waits to be killed: silent-fuse DIRECTORY
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **arguments) {
    char options[64];
    int device = open("/dev/fuse", O_RDWR);
    if (count != 2 || device < 0)
        err(1, "/dev/fuse");
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (mount("silent", arguments[1], "fuse", 0, options) < 0)
        err(1, "mount");
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
