// A runtime that its filter kills or lets work, as the file beside its state says: `KILLED` there, and it makes a call that is forbidden.
// Appends a byte to the file `calls` there for each time that it is executed.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **arguments) {
    char path[4096];
    const char *root = count > 2 ? arguments[2] : "";
    snprintf(path, sizeof path, "%s/calls", root);
    int calls = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (calls >= 0 && write(calls, ".", 1) != 1)
        return 1;
    snprintf(path, sizeof path, "%s/KILLED", root);
    if (open(path, O_RDONLY | O_CLOEXEC) >= 0)
        mount("none", "/mnt/canary", "tmpfs", 0, NULL);
    if (count > 3 && strcmp(arguments[3], "list") == 0)
        puts("[]");
    return 0;
}
