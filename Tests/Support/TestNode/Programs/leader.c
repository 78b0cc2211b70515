// A process whose first thread has ended while another runs: its state is "Z", and it lives. It does not end by TERM.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void *work(void *nothing) {
    for (;;)
        pause();
    return nothing;
}

int main(void) {
    pthread_t thread;
    signal(SIGTERM, SIG_IGN);
    pthread_create(&thread, 0, work, 0);
    pthread_exit(0);
}
