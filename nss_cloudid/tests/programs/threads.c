/*
 * Threads that end in the middle of a lookup, or right after it, while others go on.
 *
 * threads MODULE exit|cancel|cancel-in-glibc COUNT
 *
 * Threads are cancelled where they may be: POSIX allows no lookup in a thread that may be cancelled at
 * any instruction, and glibc would keep its lock for ever, whatever module it asks.
 */
#define _GNU_SOURCE
#include "module.h"

#include <pthread.h>
#include <time.h>

enum { AT_ONCE = 8 };

static struct module module;
static int is_over, stays_right;

static void glibc_is_right(void)
{
    char buffer[ROOM];
    struct passwd user, *found = NULL;
    struct group group, *found_group = NULL;
    if (getpwnam_r("alice", &user, buffer, ROOM, &found) || !found || !is_alice(found))
        wrong("glibc about alice");
    if (getgrgid_r(DEV, &group, buffer, ROOM, &found_group) || !found_group || !is_dev(found_group))
        wrong("glibc about dev");
    if (getpwnam_r("root", &user, buffer, ROOM, &found) || !found || found->pw_uid != 0)
        wrong("glibc about root");
    if (getpwuid_r(STRANGER, &user, buffer, ROOM, &found) == 0 && found)
        wrong("glibc about an id that nobody has");
}

static void *once(void *unused)
{
    glibc_is_right();
    ask(&module);
    return unused;
}

static void *until_cancelled(void *unused)
{
    for (;;) {
        ask(&module);
        ask_for_strangers(&module);
        pthread_testcancel();
    }
    return unused;
}

static void *until_cancelled_in_glibc(void *unused)
{
    for (;;) {
        glibc_is_right();
        pthread_testcancel();
    }
    return unused;
}

/* Threads that nobody cancels must not be held up by those who are. */
static void *until_over(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        glibc_is_right();
        if (ask(&module) != 4)
            wrong("cannot tell");
        __atomic_add_fetch(&stays_right, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

static void a_moment(unsigned each)
{
    struct timespec moment = {0, (long)(each * 7919 % 400) * 1000};
    nanosleep(&moment, NULL);
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    module = module_at(arguments[1]);
    int exits = strcmp(arguments[2], "exit") == 0;
    int in_glibc = strcmp(arguments[2], "cancel-in-glibc") == 0;
    void *(*work)(void *) = exits ? once : in_glibc ? until_cancelled_in_glibc : until_cancelled;
    unsigned rounds = (unsigned)atoi(arguments[3]) / AT_ONCE;
    glibc_is_right();
    alarm(60 + rounds);

    int open_before = descriptors();
    pthread_t steady, threads[AT_ONCE];
    pthread_create(&steady, NULL, until_over, NULL);
    for (unsigned each = 0; each < rounds; each++) {
        for (int one = 0; one < AT_ONCE; one++)
            if (pthread_create(&threads[one], NULL, work, NULL))
                wrong("no thread");
        if (!exits)
            a_moment(each);
        for (int one = 0; one < AT_ONCE && !exits; one++)
            pthread_cancel(threads[one]);
        for (int one = 0; one < AT_ONCE; one++) {
            void *result;
            pthread_join(threads[one], &result);
            if (!exits && result != PTHREAD_CANCELED)
                wrong("a thread was not cancelled");
        }
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    pthread_join(steady, NULL);
    glibc_is_right();
    /* glibc's client of nscd forgets its socket when it is cancelled */
    if (!in_glibc && descriptors() != open_before)
        wrong("descriptors were left");
    printf("threads %u right %d held %d\n", rounds * AT_ONCE, stays_right, maps_held());
    return 0;
}
