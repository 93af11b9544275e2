/*
 * Threads that are to be cancelled already when they begin to look up: whatever call of the module
 * could be a point of cancellation is one now. Each must get through its lookups, in whatever state
 * the map held in memory is meanwhile, and be cancelled afterwards.
 *
 * pending MODULE SECONDS
 */
#define _GNU_SOURCE
#include "module.h"

#include <pthread.h>
#include <time.h>

static struct module module;

static void *look_up_cancelled(void *got_through)
{
    pthread_cancel(pthread_self());
    for (int each = 0; each < 20; each++)
        if (ask(&module) != 4 || !ask_for_groups(&module))
            wrong("cannot tell");
    ask_for_strangers(&module);
    *(int *)got_through = 1;
    pthread_testcancel();
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    module = module_at(arguments[1]);
    unsigned long threads = 0;
    int open_before = descriptors();
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (time_t end = now.tv_sec + atoi(arguments[2]); now.tv_sec < end; threads++) {
        int got_through = 0;
        void *result = NULL;
        pthread_t thread;
        if (pthread_create(&thread, NULL, look_up_cancelled, &got_through))
            wrong("no thread");
        pthread_join(thread, &result);
        if (!got_through)
            wrong("cancelled in a lookup");
        if (result != PTHREAD_CANCELED)
            wrong("not cancelled at all");
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    if (descriptors() != open_before)
        wrong("descriptors were left");
    printf("threads %lu held %d\n", threads, maps_held());
    return 0;
}
