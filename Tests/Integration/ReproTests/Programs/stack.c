// stack SOURCE TARGET NUMBER: so many mounts of one directory on one mount point.
#include <stdlib.h>
#include <sys/mount.h>

int main(int count, char **words) {
    if (count != 4)
        return 2;
    for (int left = atoi(words[3]); left > 0; left--)
        if (mount(words[1], words[2], 0, MS_BIND, 0))
            return 1;
    return 0;
}
