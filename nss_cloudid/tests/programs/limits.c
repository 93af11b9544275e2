/*
 * Looks up with next to nothing of something: each answer is right or "cannot tell", nothing is
 * aborted, and as soon as there is enough again, everything is right.
 *
 * limits MODULE descriptors|address-space|file-size|processes|stack|memory
 */
#define _GNU_SOURCE
#include "module.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* So many rounds make a process ask for the map in memory. */
enum { ENOUGH_ROUNDS = 24, SMALLEST_STACK = 16384 };

static struct module module;

/* glibc's malloc, of which one call may fail. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
static long calls_left = -1;

static int fails(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

void *malloc(size_t size)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_realloc(old, size);
}

static void set_limit(int what, rlim_t most)
{
    struct rlimit limit;
    getrlimit(what, &limit);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    if (setrlimit(what, &limit))
        wrong("the limit cannot be set");
}

/* Both ways to the map, and the socket; how many answers of alice and her group were right. */
static int ask_much(void)
{
    int right = 0;
    for (int each = 0; each < ENOUGH_ROUNDS; each++)
        right += ask(&module) + ask_for_groups(&module);
    ask_for_strangers(&module);
    return right;
}

/* Through glibc: people of the map, and local ones. */
static int glibc_is_right(void)
{
    char buffer[ROOM];
    struct passwd user, *found = NULL;
    if (getpwnam_r("alice", &user, buffer, ROOM, &found) || !found || !is_alice(found))
        return 0;
    return !getpwnam_r("root", &user, buffer, ROOM, &found) && found && found->pw_uid == 0;
}

static void all_is_right(const char *when)
{
    if (ask_much() != 5 * ENOUGH_ROUNDS || !glibc_is_right())
        wrong(when);
}

/* In a new process: what it says, and whether it got to the end. */
static int in_child(int (*work)(long), long argument)
{
    int way[2], said = -1, status;
    if (pipe(way))
        wrong("no pipe");
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        said = work(argument);
        _exit(write(way[1], &said, sizeof said) != sizeof said);
    }
    close(way[1]);
    if (waitpid(child, &status, 0) != child || status != 0)
        wrong("a process was ended");
    if (read(way[0], &said, sizeof said) != sizeof said)
        wrong("a process said nothing");
    close(way[0]);
    return said;
}

/* So many descriptors are free. */
static int few_descriptors(long free_ones)
{
    set_limit(RLIMIT_NOFILE, 64);
    while (dup(0) >= 0)
        ;
    for (long each = 0; each < free_ones; each++)
        close((int)(63 - each));
    int right = ask_much();
    for (int each = 20; each < 64; each++)
        close(each);
    all_is_right("with descriptors again");
    return right;
}

static void descriptors_run_out(void)
{
    printf("with none %d", in_child(few_descriptors, 0));
    for (long free_ones = 1; free_ones < 4; free_ones++)
        if (in_child(few_descriptors, free_ones) != 5 * ENOUGH_ROUNDS)
            wrong("one descriptor is enough for a right answer");
    printf(" with one %d\n", 5 * ENOUGH_ROUNDS);
}

static long used_address_space(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        wrong("statm");
    fclose(file);
    return pages * 4096;
}

/* So many bytes of address space are free, and no heap either. */
static int little_address_space(long bytes)
{
    set_limit(RLIMIT_AS, (rlim_t)(used_address_space() + bytes));
    int right = ask_much();
    set_limit(RLIMIT_AS, RLIM_INFINITY);
    all_is_right("with address space again");
    return right;
}

static void address_space_runs_out(void)
{
    int right = 0, tried = 0;
    for (long bytes = 0; bytes <= 64 * 4096; bytes += 4096, tried++)
        right += in_child(little_address_space, bytes) == 5 * ENOUGH_ROUNDS;
    printf("tried %d right %d\n", tried, right);
}

static int no_file_may_grow(long unused)
{
    set_limit(RLIMIT_FSIZE, (rlim_t)unused);
    all_is_right("without a byte to write");
    return 0;
}

static int no_processes(long unused)
{
    set_limit(RLIMIT_NPROC, (rlim_t)unused);
    if (setgid(65534) || setuid(65534))
        wrong("cannot be somebody else");
    if (fork() >= 0)
        wrong("the limit holds nobody back");
    all_is_right("without a process");
    return 0;
}

static void *on_a_small_stack(void *right)
{
    *(int *)right = ask_much();
    return NULL;
}

static void *on_a_small_stack_by_glibc(void *right)
{
    *(int *)right = glibc_is_right();
    return NULL;
}

/* Runs with the smallest stack there is; how much of it was used. */
static long stack_used(void *(*work)(void *), int *right)
{
    pthread_attr_t attributes;
    pthread_t thread;
    char *stack = mmap(NULL, SMALLEST_STACK + 4096, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE))
        wrong("no stack");
    stack += 4096;
    memset(stack, 0x5a, SMALLEST_STACK);
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, SMALLEST_STACK)
        || pthread_create(&thread, &attributes, work, right))
        wrong("no thread");
    pthread_join(thread, NULL);
    long untouched = 0;
    while (untouched < SMALLEST_STACK && stack[untouched] == 0x5a)
        untouched++;
    return SMALLEST_STACK - untouched;
}

static void *nothing(void *unused)
{
    return unused;
}

static void small_stacks(void)
{
    int right = 0, right_by_glibc = 0;
    long without = stack_used(nothing, NULL);
    long used = stack_used(on_a_small_stack, &right);
    long used_by_glibc = stack_used(on_a_small_stack_by_glibc, &right_by_glibc);
    if (right != 5 * ENOUGH_ROUNDS || !right_by_glibc)
        wrong("with a small stack");
    printf("bytes %ld by-glibc %ld nothing %ld\n", used, used_by_glibc, without);
}

/* Fails one allocation; whether that many were asked for. */
static int failing_allocation(long number)
{
    calls_left = number;
    ask_much();
    int failed = calls_left < 0;
    calls_left = number;
    glibc_is_right();
    failed |= calls_left < 0;
    calls_left = -1;
    all_is_right("with memory again");
    return failed;
}

static void allocations_fail(void)
{
    long number = 0;
    while (in_child(failing_allocation, number))
        number++;
    printf("failed %ld\n", number);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    module = module_at(arguments[1]);
    /* glibc has found its modules: without, it would say "nobody" for all of them */
    if (!glibc_is_right())
        wrong("at first");
    setvbuf(stdout, NULL, _IONBF, 0);
    const char *what = arguments[2];
    if (strcmp(what, "descriptors") == 0)
        descriptors_run_out();
    else if (strcmp(what, "address-space") == 0)
        address_space_runs_out();
    else if (strcmp(what, "file-size") == 0)
        in_child(no_file_may_grow, 0);
    else if (strcmp(what, "processes") == 0)
        in_child(no_processes, 0);
    else if (strcmp(what, "stack") == 0)
        small_stacks();
    else if (strcmp(what, "memory") == 0)
        allocations_fail();
    else
        return 2;
    return 0;
}
