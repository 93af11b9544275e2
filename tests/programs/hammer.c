/*
 * Many processes look the same people up for a while, some as a program of a few lookups does, some
 * as a busy one; each answer must be the right one or none. Prints how many there were of each.
 *
 * hammer PROCESSES SECONDS passwd|group KEY ANSWER ...
 *     passwd, group: the key is a name or an id; the answer is the line getent would print, or "-"
 *     must:passwd, must:group: a missing answer is wrong as well
 *
 * A KEY's ANSWER may be two lines with "|" between: either is right.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUESTIONS_MAX = 32, LINE_MAX_BYTES = 1 << 16, FEW = 3 };

struct question {
    int group, must, by_id;
    const char *key;
    char *answers[2];
};

struct counts {
    unsigned long found, missing, processes;
    long slowest_microseconds;
};

static struct question questions[QUESTIONS_MAX];
static int number_of_questions;
static struct counts *counts;

static void wrong(const struct question *question, const char *answer, int error)
{
    fprintf(stderr, "WRONG: %s %s: %s (errno %d)\n", question->group ? "group" : "passwd",
            question->key, answer, error);
    exit(9);
}

static int passwd_line(const struct question *question, char *line, char *buffer)
{
    struct passwd entry, *found = NULL;
    int error = question->by_id
        ? getpwuid_r((uid_t)strtoul(question->key, NULL, 10), &entry, buffer, LINE_MAX_BYTES, &found)
        : getpwnam_r(question->key, &entry, buffer, LINE_MAX_BYTES, &found);
    if (!found)
        return error ? error : -1;
    snprintf(line, LINE_MAX_BYTES, "%s:%s:%u:%u:%s:%s:%s", entry.pw_name, entry.pw_passwd,
             entry.pw_uid, entry.pw_gid, entry.pw_gecos, entry.pw_dir, entry.pw_shell);
    return 0;
}

static int group_line(const struct question *question, char *line, char *buffer)
{
    struct group entry, *found = NULL;
    int error = question->by_id
        ? getgrgid_r((gid_t)strtoul(question->key, NULL, 10), &entry, buffer, LINE_MAX_BYTES, &found)
        : getgrnam_r(question->key, &entry, buffer, LINE_MAX_BYTES, &found);
    if (!found)
        return error ? error : -1;
    int end = snprintf(line, LINE_MAX_BYTES, "%s:%s:%u:", entry.gr_name, entry.gr_passwd,
                       entry.gr_gid);
    for (char **member = entry.gr_mem; *member; member++)
        end += snprintf(line + end, (size_t)(LINE_MAX_BYTES - end), "%s%s",
                        member == entry.gr_mem ? "" : ",", *member);
    return 0;
}

static void ask(const struct question *question)
{
    static char line[LINE_MAX_BYTES], buffer[LINE_MAX_BYTES];
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    int error = question->group ? group_line(question, line, buffer)
                                : passwd_line(question, line, buffer);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long took = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    if (took > counts->slowest_microseconds)
        counts->slowest_microseconds = took;
    if (error) {
        if (question->must)
            wrong(question, "missing", error);
        __atomic_add_fetch(&counts->missing, 1, __ATOMIC_RELAXED);
        return;
    }
    int right = strcmp(line, question->answers[0]) == 0
        || (question->answers[1] && strcmp(line, question->answers[1]) == 0);
    if (!right)
        wrong(question, line, 0);
    __atomic_add_fetch(&counts->found, 1, __ATOMIC_RELAXED);
}

static int is_over(time_t end)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec >= end;
}

static void busy(time_t end)
{
    while (!is_over(end))
        for (int each = 0; each < number_of_questions; each++)
            ask(&questions[each]);
    exit(0);
}

/* 0, or how it failed */
static int outcome_of(pid_t child)
{
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 8;
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "WRONG: ended by signal %d\n", WTERMSIG(status));
        return 7;
    }
    return WEXITSTATUS(status);
}

/* As programs of a few lookups do: a new process, three questions, the end. */
static void brief(const char *self, char **arguments, time_t end)
{
    for (unsigned start = 0; !is_over(end); start += FEW) {
        pid_t child = fork();
        if (child == 0) {
            char first[16];
            snprintf(first, sizeof first, "%u", start % (unsigned)number_of_questions);
            setenv("HAMMER_FIRST", first, 1);
            execv(self, arguments);
            exit(6);
        }
        int failed = outcome_of(child);
        if (failed)
            exit(failed);
        __atomic_add_fetch(&counts->processes, 1, __ATOMIC_RELAXED);
    }
    exit(0);
}

static void read_questions(char **words)
{
    for (; words[0] && words[1] && words[2] && number_of_questions < QUESTIONS_MAX; words += 3) {
        struct question *question = &questions[number_of_questions++];
        question->must = strncmp(words[0], "must:", 5) == 0;
        question->group = strcmp(words[0] + (question->must ? 5 : 0), "group") == 0;
        question->key = words[1];
        question->by_id = words[1][0] >= '0' && words[1][0] <= '9';
        question->answers[0] = strdup(words[2]);
        question->answers[1] = strchr(question->answers[0], '|');
        if (question->answers[1])
            *question->answers[1]++ = 0;
    }
}

int main(int count, char **arguments)
{
    if (count < 6)
        return 2;
    int processes = atoi(arguments[1]);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + atoi(arguments[2]);
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        return 3;
    read_questions(arguments + 3);
    const char *first = getenv("HAMMER_FIRST");
    if (first) {
        for (int each = 0; each < FEW; each++)
            ask(&questions[(atoi(first) + each) % number_of_questions]);
        return 0;
    }
    pid_t children[1024];
    for (int each = 0; each < processes && each < 1024; each++)
        if ((children[each] = fork()) == 0) {
            if (each % 2)
                busy(end);
            brief("/proc/self/exe", arguments, end);
        }
    int failed = 0;
    for (int each = 0; each < processes && each < 1024; each++) {
        int outcome = outcome_of(children[each]);
        failed = failed ? failed : outcome;
    }
    printf("found %lu missing %lu processes %lu slowest %ld\n", counts->found, counts->missing,
           counts->processes, counts->slowest_microseconds);
    return failed;
}
