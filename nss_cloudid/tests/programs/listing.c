/*
 * Lists everybody through glibc: in two threads that share one listing, as all threads of a process
 * do, and with a listing begun anew in the middle of another.
 *
 * listing PEOPLE ROUNDS
 *     people are called person0, person1, ...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1024, PEOPLE_MAX = 1 << 20 };

static long people;
static unsigned char seen[PEOPLE_MAX];
static long strangers;

static void wrong(const char *what)
{
    fprintf(stderr, "WRONG: %s\n", what);
    exit(9);
}

/* 1 for somebody, 0 for the end. */
static int next(char *name)
{
    char buffer[ROOM];
    struct passwd user, *found = NULL;
    int error = getpwent_r(&user, buffer, sizeof buffer, &found);
    if (error == ENOENT || (!error && !found))
        return 0;
    if (error)
        wrong("an error in the middle");
    strcpy(name, user.pw_name);
    return 1;
}

static void *list_to_the_end(void *unused)
{
    char name[ROOM];
    long number;
    while (next(name))
        if (sscanf(name, "person%ld", &number) == 1 && number >= 0 && number < people)
            __atomic_add_fetch(&seen[number], 1, __ATOMIC_RELAXED);
        else
            __atomic_add_fetch(&strangers, 1, __ATOMIC_RELAXED);
    return unused;
}

static void two_threads(void)
{
    pthread_t other;
    memset(seen, 0, sizeof seen);
    setpwent();
    if (pthread_create(&other, NULL, list_to_the_end, NULL))
        wrong("no thread");
    list_to_the_end(NULL);
    pthread_join(other, NULL);
    endpwent();
    for (long each = 0; each < people; each++)
        if (seen[each] != 1)
            wrong(seen[each] ? "somebody came twice" : "somebody did not come");
}

/* The inner listing ends, and the outer one, which is the same, begins again: as with files. */
static void nested(void)
{
    char name[ROOM];
    long inner = 0, outer = 0;
    setpwent();
    for (int each = 0; each < 5; each++)
        if (!next(name))
            wrong("the end is too early");
    setpwent();
    while (next(name))
        inner++;
    endpwent();
    while (next(name))
        outer++;
    endpwent();
    if (inner < people || outer != inner)
        wrong("a listing in another");
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    people = atol(arguments[1]);
    long rounds = atol(arguments[2]);
    for (long each = 0; each < rounds; each++) {
        two_threads();
        nested();
    }
    printf("listed %ld strangers %ld\n", people * rounds, strangers);
    return 0;
}
