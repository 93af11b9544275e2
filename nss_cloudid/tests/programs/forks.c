/*
 * Thirty-two threads look up while others fork; every child looks up, and then becomes a new program
 * that looks up. A child that hangs, dies or is told something else ends the test.
 *
 * forks MODULE SECONDS
 */
#define _GNU_SOURCE
#include "module.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

enum { READERS = 32, FORKERS = 4, CHILD_SECONDS = 60 };

static struct module module;
static const char *program, *path;
static int is_over;
static unsigned long lookups, children;

static void all_is_right(void)
{
    char buffer[ROOM];
    struct passwd user, *found = NULL;
    if (ask(&module) != 4)
        wrong("cannot tell");
    if (getpwnam_r("alice", &user, buffer, ROOM, &found) || !found || !is_alice(found))
        wrong("glibc about alice");
    if (getpwnam_r("root", &user, buffer, ROOM, &found) || !found || found->pw_uid != 0)
        wrong("glibc about root");
}

static void *look_up(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        all_is_right();
        __atomic_add_fetch(&lookups, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

static void in_child(void)
{
    alarm(CHILD_SECONDS);
    for (int each = 0; each < 20; each++)
        all_is_right();
    execl(program, program, path, "child", (char *)NULL);
    wrong("no exec");
}

static void *fork_all_the_time(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        int status;
        pid_t child = fork();
        if (child == 0)
            in_child();
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            wrong("a child");
        __atomic_add_fetch(&children, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    program = arguments[0];
    path = arguments[1];
    module = module_at(path);
    all_is_right();
    if (strcmp(arguments[2], "child") == 0) {
        for (int each = 0; each < 20; each++)
            all_is_right();
        return 0;
    }
    pthread_t threads[READERS + FORKERS];
    for (int each = 0; each < READERS + FORKERS; each++)
        if (pthread_create(&threads[each], NULL, each < READERS ? look_up : fork_all_the_time, NULL))
            wrong("no thread");
    sleep((unsigned)atoi(arguments[2]));
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int each = 0; each < READERS + FORKERS; each++)
        pthread_join(threads[each], NULL);
    printf("lookups %lu children %lu held %d\n", lookups, children, maps_held());
    return 0;
}
