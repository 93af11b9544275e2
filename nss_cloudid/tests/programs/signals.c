/*
 * Looks up under a storm of signals, whose handler looks up as well.
 *
 * signals MODULE SECONDS
 *
 * In the handler the module is called directly: glibc's own functions hold a lock while they look
 * for the module, and may be called in a handler only while nothing of theirs runs.
 */
#define _GNU_SOURCE
#include "module.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static struct module module;
static volatile sig_atomic_t nested, asleep;
static volatile unsigned long handled, right_in_handler;

/* The next signal comes in some microseconds; a clock that ticks would starve what it interrupts. */
static void next_signal(void)
{
    static unsigned each;
    struct itimerval once = {{0, 0}, {0, (long)(each++ * 7919 % 150) + 1}};
    setitimer(ITIMER_REAL, &once, NULL);
}

/* Everything a handler finds out is right, wherever it interrupted. */
static void look_up(int signal)
{
    int error = errno;
    (void)signal;
    handled++;
    nested++;
    if (!asleep && nested < 3)
        next_signal();
    right_in_handler += (unsigned long)ask(&module);
    if (asleep && !getpwnam("alice"))
        wrong("glibc in a handler");
    nested--;
    if (!asleep && nested == 0)
        next_signal();
    errno = error;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void dispositions(struct sigaction *all, sigset_t *blocked, stack_t *stack)
{
    for (int each = 1; each < NSIG; each++)
        sigaction(each, NULL, &all[each]);
    sigprocmask(SIG_BLOCK, NULL, blocked);
    sigaltstack(NULL, stack);
}

int main(int count, char **arguments)
{
    static struct sigaction before[NSIG], after[NSIG];
    static sigset_t blocked_before, blocked_after;
    static stack_t stack_before, stack_after;
    if (count != 3)
        return 2;
    module = module_at(arguments[1]);
    double seconds = atof(arguments[2]);
    signal(SIGPIPE, SIG_DFL);

    /* no SA_RESTART, so that calls are interrupted; SA_NODEFER, so that handlers are too */
    struct sigaction action = {.sa_handler = look_up, .sa_flags = SA_NODEFER};
    sigaction(SIGALRM, &action, NULL);
    dispositions(before, &blocked_before, &stack_before);

    unsigned long rounds = 0, right = 0;
    int open_before = descriptors();
    next_signal();
    for (double end = seconds_now() + seconds; seconds_now() < end; rounds++) {
        right += (unsigned long)ask(&module);
        right += (unsigned long)ask_for_groups(&module);
        ask_for_strangers(&module);
    }

    /* through glibc, in a handler that interrupts nothing */
    sigset_t alarms, others;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarms, &others);
    asleep = 1;
    for (int each = 0; each < 200; each++) {
        next_signal();
        sigsuspend(&others);
    }
    sigprocmask(SIG_SETMASK, &others, NULL);

    dispositions(after, &blocked_after, &stack_after);
    for (int each = 1; each < NSIG; each++)
        if (before[each].sa_handler != after[each].sa_handler
            || before[each].sa_flags != after[each].sa_flags)
            wrong("a handler was changed");
    if (memcmp(&blocked_before, &blocked_after, sizeof blocked_before)
        || memcmp(&stack_before, &stack_after, sizeof stack_before))
        wrong("the mask or the stack of signals was changed");
    if (descriptors() != open_before)
        wrong("descriptors were left");
    printf("rounds %lu right %lu handled %lu right in handlers %lu held %d\n", rounds, right, handled,
           right_in_handler, maps_held());
    return 0;
}
