#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

// Embedded Swift seeds its hashing with this. glibc has it from 2.36 only, and the helper has to start on 2.34.
void arc4random_buf(void *buffer, size_t count) {
    while (count > 0) {
        ssize_t got = getrandom(buffer, count, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            buffer = (char *)buffer + got;
            count -= (size_t)got;
        }
    }
}
