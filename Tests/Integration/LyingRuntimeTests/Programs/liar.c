// An OCI runtime that lies: liar --root ROOT state|kill|delete|list [--all] ID [SIGNAL]
//
// A container is a directory ROOT/ID. Its file "pids" names its processes, the init first. The file "lie-VERB" holds letters
// that say what the verb does instead of what it should; without it, or with none of them, the runtime is honest:
//   n  does nothing            k  kills all processes (also where the verb is another)
//   f  exits with 1            d  deletes the state directory (also where the verb is another)
//   s  ends by SIGSEGV         g  prints garbage          e  prints without an end
//   h  hangs, having done it   H  hangs before it does anything
//   1  exits with 1 having done nothing, and is honest from then on
//   o  (state) says "stopped"  w  (state) says that another process, pid 1, is the init
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *container;
static char lies[64];

static char *content(const char *name, char *buffer, size_t size) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", container, name);
    int file = open(path, O_RDONLY);
    long count = file < 0 ? 0 : read(file, buffer, size - 1);
    if (file >= 0)
        close(file);
    buffer[count > 0 ? count : 0] = 0;
    return buffer;
}
static int lie(char letter) { return strchr(lies, letter) != NULL; }
static void hang(void) {
    struct timespec long_time = {.tv_sec = 1000};
    for (;;)
        nanosleep(&long_time, NULL);
}
static int alive(int pid) {
    char path[64], text[256], *end;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int file = open(path, O_RDONLY);
    long count = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[count > 0 ? count : 0] = 0;
    end = strrchr(text, ')');
    return end != NULL && end[2] != 'Z' && end[2] != 'X';
}
static void killThem(int number, int all) {
    char buffer[512], *rest = content("pids", buffer, sizeof buffer);
    for (int first = 1; *rest; first = 0) {
        int pid = (int)strtol(rest, &rest, 10);
        if (pid > 1 && (first || all))
            kill(pid, number);
        while (*rest == '\n' || *rest == ' ')
            rest++;
    }
}
static void deleteState(void) {
    static const char *files[] = {"pids", "lie-state", "lie-kill", "lie-delete", "state.json"};
    int directory = open(container, O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
        unlinkat(directory, files[i], 0);
    unlinkat(AT_FDCWD, container, AT_REMOVEDIR);
}
static void say(const char *text) {
    if (write(1, text, strlen(text)) < 0)
        _exit(9);
}

int main(int count, char **arguments) {
    char path[1024], name[64], buffer[512], text[256];
    if (count < 5)
        return 2;
    const char *verb = arguments[3];
    int all = strcmp(verb, "kill") == 0 && strcmp(arguments[4], "--all") == 0;
    snprintf(path, sizeof path, "%s/%s", arguments[2], arguments[4 + all]);
    container = path;
    snprintf(name, sizeof name, "lie-%s", verb);
    content(name, lies, sizeof lies);
    int pid = atoi(content("pids", buffer, sizeof buffer));
    if (lie('1')) {
        snprintf(text, sizeof text, "%s/%s", container, name);
        unlink(text);
        return 1;
    }
    if (lie('H'))
        hang();
    if (lie('s'))
        kill(getpid(), SIGSEGV);
    while (lie('e'))
        say("garbage\xff without end\n");
    if (lie('g'))
        say("{\"status\": 7, \xff\"pid\": \"x\"");
    if (!lie('n') && !lie('g')) {
        if (strcmp(verb, "state") == 0) {
            int shown = lie('w') ? 1 : pid;
            snprintf(text, sizeof text, "{\"ociVersion\":\"1.0.2\",\"status\":\"%s\",\"pid\":%d}",
                     alive(pid) && !lie('o') ? "running" : "stopped", alive(pid) && !lie('o') ? shown : 0);
            say(text);
        } else if (strcmp(verb, "kill") == 0)
            killThem(atoi(arguments[5 + all]), all);
        else if (strcmp(verb, "delete") == 0) {
            if (alive(pid))
                return 1;
            deleteState();
        }
    }
    if (lie('k'))
        killThem(SIGKILL, 1);
    if (lie('d'))
        deleteState();
    if (lie('h'))
        hang();
    return lie('f') ? 1 : 0;
}
