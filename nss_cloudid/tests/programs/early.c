/*
 * What a program finds out that runs before anything else does: how long the module takes to say
 * something about alice, what it says, and whether root is known. Needs nothing but libc.
 *
 * early MODULE
 */
#define _GNU_SOURCE
#include "module.h"

#include <time.h>

static long microseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    struct module module = module_at(arguments[1]);
    char buffer[ROOM];
    struct passwd user, *found = NULL;
    int error = 0, status = 0;
    long quickest = 1000000;
    for (int each = 0; each < 50; each++) {
        long before = microseconds_now();
        status = module.user_by_name("alice", &user, buffer, ROOM, &error);
        long took = microseconds_now() - before;
        quickest = took < quickest ? took : quickest;
    }
    ask(&module);
    ask_for_groups(&module);
    if (status == NSS_STATUS_SUCCESS && !is_alice(&user))
        wrong("alice");
    if (getpwnam_r("root", &user, buffer, ROOM, &found) || !found || found->pw_uid != 0)
        wrong("root");
    printf("known %d unavailable %d quickest %ld\n", status == NSS_STATUS_SUCCESS,
           status == NSS_STATUS_UNAVAIL, quickest);
    return 0;
}
