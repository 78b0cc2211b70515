// The floor: what removing pods costs at the least. It makes the runtime calls and system calls that podreap cannot
// do without, with the same parallelism, and nothing else: no checks, no records, no privilege boundary.
//
//     floor [-n PARALLEL] [-a] RUNTIME RUNTIME-ROOT < PODS
//
// -n: how many containers are removed at once, over all pods (default: one more than there are processors, 3 to 16, as
// podreap has helpers). -a: all pods at once, else one by one.
//
// PODS is text, a word and its arguments a line, separated by one blank; names and paths without white space:
//
//     pod NAME                 a pod begins
//     container ID PID         a workload of this pod, and its init process
//     infra ID PID             the infra container; removed when all workloads are
//     sandbox                  what is removed last
//     netns PATH               a network namespace's pin: unmounted and unlinked
//
// `container`, `infra` and `sandbox` are followed by what belongs to them, carried out in this order of kinds:
//
//     unmount PATH             as often as there are mounts, the topmost first; shm is one of the sandbox
//     directory PATH           removed with all in it
//     cgroup PATH              removed where the runtime has left it
//
// For each pod it prints `NAME MICROSECONDS`, and at last `total MICROSECONDS`. It ends with 1 at the first failure.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PODS = 128, MOST_UNITS = 34, MOST_PATHS = 16 };

struct paths {
    char *at[MOST_PATHS];
    int count;
};

// A container, or the sandbox, which has no id.
struct unit {
    char *id;
    int pid;
    struct paths mounts, directories, cgroups;
};

struct pod {
    char *name;
    struct unit workloads[MOST_UNITS], infra, sandbox;
    int workload_count;
    char *netns;
    long microseconds;
};

static struct pod *pods;
static int pod_count;
static const char *runtime, *runtime_root;
static sem_t slots;

static _Noreturn void fail(const char *what, const char *which) {
    fprintf(stderr, "floor: %s %s: %s\n", what, which, strerror(errno));
    exit(1);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

// Runs `RUNTIME --root ROOT VERB ID` to its end.
static void call(const char *verb, const char *id) {
    const char *arguments[] = {runtime, "--root", runtime_root, verb, id, NULL};
    char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    pid_t pid;
    int status;
    errno = posix_spawn(&pid, runtime, NULL, NULL, (char *const *)arguments, environment);
    if (errno)
        fail("cannot run", runtime);
    if (waitpid(pid, &status, 0) < 0 || status != 0)
        fail(verb, id);
}

// Kills a container, waits until its init is gone, and deletes it.
static void end_container(const struct unit *unit) {
    int process = (int)syscall(SYS_pidfd_open, unit->pid, 0);
    if (process < 0)
        fail("no process of container", unit->id);
    if (syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) < 0)
        fail("kill", unit->id);
    struct pollfd gone = {.fd = process, .events = POLLIN};
    while (poll(&gone, 1, -1) < 0)
        if (errno != EINTR)
            fail("poll", unit->id);
    close(process);
    call("delete", unit->id);
}

static void remove_tree(int parent, const char *name) {
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = directory < 0 ? NULL : fdopendir(directory);
    if (!entries)
        fail("open", name);
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (entry->d_type != DT_DIR && unlinkat(directory, entry->d_name, 0) == 0)
            continue;
        if (entry->d_type != DT_DIR && errno != EISDIR)
            fail("unlink", entry->d_name);
        remove_tree(directory, entry->d_name);
    }
    closedir(entries);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0)
        fail("rmdir", name);
}

static void unmount(const char *path) {
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        fail("umount", path);
}

static void clean(const struct unit *unit) {
    for (int i = 0; i < unit->mounts.count; i++)
        unmount(unit->mounts.at[i]);
    for (int i = 0; i < unit->directories.count; i++)
        remove_tree(AT_FDCWD, unit->directories.at[i]);
    for (int i = 0; i < unit->cgroups.count; i++)
        if (rmdir(unit->cgroups.at[i]) < 0 && errno != ENOENT)
            fail("rmdir", unit->cgroups.at[i]);
}

static void *remove_container(void *argument) {
    const struct unit *unit = argument;
    while (sem_wait(&slots) < 0) {}
    end_container(unit);
    clean(unit);
    sem_post(&slots);
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument) {
    errno = pthread_create(thread, NULL, body, argument);
    if (errno)
        fail("cannot start", "a thread");
}

static void *remove_pod(void *argument) {
    struct pod *pod = argument;
    pthread_t threads[MOST_UNITS];
    long began = now();
    for (int i = 0; i < pod->workload_count; i++)
        start(&threads[i], remove_container, &pod->workloads[i]);
    for (int i = 0; i < pod->workload_count; i++)
        pthread_join(threads[i], NULL);
    if (pod->infra.id)
        remove_container(&pod->infra);
    clean(&pod->sandbox);
    if (pod->netns) {
        unmount(pod->netns);
        if (unlink(pod->netns) < 0)
            fail("unlink", pod->netns);
    }
    pod->microseconds = now() - began;
    return NULL;
}

static _Noreturn void misread(int line) {
    fprintf(stderr, "floor: line %d is none that the top of floor.c describes\n", line);
    exit(1);
}

static void read_pods(void) {
    char text[8192], word[16], argument[4096], number[16];
    struct pod *pod = NULL;
    struct unit *unit = NULL;
    for (int line = 1; fgets(text, sizeof text, stdin); line++) {
        int words = sscanf(text, "%15s %4095s %15s", word, argument, number);
        if (words < 1)
            continue;
        if (!strcmp(word, "pod") && words == 2 && pod_count < MOST_PODS) {
            pod = &pods[pod_count++];
            pod->name = strdup(argument);
            unit = NULL;
            continue;
        }
        if (!pod)
            misread(line);
        int is_container = !strcmp(word, "container") && pod->workload_count < MOST_UNITS;
        if ((is_container || !strcmp(word, "infra")) && words == 3) {
            unit = is_container ? &pod->workloads[pod->workload_count++] : &pod->infra;
            unit->id = strdup(argument);
            unit->pid = atoi(number);
        } else if (!strcmp(word, "sandbox") && words == 1) {
            unit = &pod->sandbox;
        } else if (!strcmp(word, "netns") && words == 2) {
            pod->netns = strdup(argument);
        } else {
            struct paths *paths = !unit || words != 2 ? NULL
                : !strcmp(word, "unmount") ? &unit->mounts : !strcmp(word, "directory") ? &unit->directories
                : !strcmp(word, "cgroup") ? &unit->cgroups : NULL;
            if (!paths || paths->count == MOST_PATHS)
                misread(line);
            paths->at[paths->count++] = strdup(argument);
        }
    }
}

int main(int count, char **arguments) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int parallel = processors < 2 ? 3 : processors > 15 ? 16 : (int)processors + 1, at_once = 0;
    for (int option; (option = getopt(count, arguments, "n:a")) != -1;) {
        if (option == 'n')
            parallel = atoi(optarg);
        else if (option == 'a')
            at_once = 1;
        else
            return 2;
    }
    if (count - optind != 2 || parallel < 1) {
        fprintf(stderr, "usage: floor [-n PARALLEL] [-a] RUNTIME RUNTIME-ROOT < PODS\n");
        return 2;
    }
    runtime = arguments[optind];
    runtime_root = arguments[optind + 1];
    sem_init(&slots, 0, (unsigned)parallel);
    pods = calloc(MOST_PODS, sizeof *pods);
    read_pods();
    pthread_t threads[MOST_PODS];
    long began = now();
    for (int i = 0; i < pod_count; i++) {
        start(&threads[i], remove_pod, &pods[i]);
        if (!at_once)
            pthread_join(threads[i], NULL);
    }
    for (int i = 0; at_once && i < pod_count; i++)
        pthread_join(threads[i], NULL);
    long total = now() - began;
    for (int i = 0; i < pod_count; i++)
        printf("%s %ld\n", pods[i].name, pods[i].microseconds);
    printf("total %ld\n", total);
    return 0;
}
