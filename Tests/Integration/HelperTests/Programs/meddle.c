// Changes a tree until it is killed, and says how often it could: one line for every thousand times.
//   meddle exchange A B      exchanges two entries
//   meddle move A B          moves an entry there and back
//   meddle grow DIRECTORY    makes files
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
    unsigned long done = 0;
    if (count < 3)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (unsigned long round = 0;; round++) {
        int result;
        if (!strcmp(arguments[1], "exchange"))
            result = renameat2(AT_FDCWD, arguments[2], AT_FDCWD, arguments[3], RENAME_EXCHANGE);
        else if (!strcmp(arguments[1], "move"))
            result = round & 1 ? rename(arguments[3], arguments[2]) : rename(arguments[2], arguments[3]);
        else {
            char path[4096];
            snprintf(path, sizeof path, "%s/%lu", arguments[2], round);
            result = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (result >= 0)
                close(result);
        }
        if (result >= 0 && ++done % 1000 == 0)
            printf("%lu\n", done);
    }
}
