/*
 * Calls the module as glibc does, but directly: so that a program can look up where glibc's own
 * functions may not be called, and see the status that glibc turns into something else. The people
 * are those of `people::three`.
 */
#ifndef MODULE_H
#define MODULE_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALICE = 70001, DEV = 71000, STRANGER = 70010, ROOM = 1024 };

struct module {
    enum nss_status (*user_by_name)(const char *, struct passwd *, char *, size_t, int *);
    enum nss_status (*user_by_id)(uid_t, struct passwd *, char *, size_t, int *);
    enum nss_status (*group_by_name)(const char *, struct group *, char *, size_t, int *);
    enum nss_status (*group_by_id)(gid_t, struct group *, char *, size_t, int *);
    enum nss_status (*groups_of)(const char *, gid_t, long *, long *, gid_t **, long, int *);
};

/* Only what may be called in a signal handler: a wrong answer ends the program at once. */
static void wrong(const char *what)
{
    ssize_t ignored = write(2, "WRONG: ", 7);
    ignored += write(2, what, strlen(what));
    ignored += write(2, "\n", 1);
    _exit(ignored ? 9 : 8);
}

static void *load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        wrong("the module cannot be loaded");
    return handle;
}

__attribute__((unused)) static struct module module_at(const char *path)
{
    void *handle = load(path);
    struct module module;
    *(void **)&module.user_by_name = dlsym(handle, "_nss_cloudid_getpwnam_r");
    *(void **)&module.user_by_id = dlsym(handle, "_nss_cloudid_getpwuid_r");
    *(void **)&module.group_by_name = dlsym(handle, "_nss_cloudid_getgrnam_r");
    *(void **)&module.group_by_id = dlsym(handle, "_nss_cloudid_getgrgid_r");
    *(void **)&module.groups_of = dlsym(handle, "_nss_cloudid_initgroups_dyn");
    return module;
}

static int is_alice(const struct passwd *user)
{
    return strcmp(user->pw_name, "alice") == 0 && user->pw_uid == ALICE && user->pw_gid == ALICE
        && strcmp(user->pw_gecos, "Person alice") == 0 && strcmp(user->pw_dir, "/home/alice") == 0
        && strcmp(user->pw_shell, "/bin/bash") == 0;
}

static int is_dev(const struct group *group)
{
    return strcmp(group->gr_name, "dev") == 0 && group->gr_gid == DEV && group->gr_mem[0]
        && strcmp(group->gr_mem[0], "alice") == 0 && group->gr_mem[1]
        && strcmp(group->gr_mem[1], "bob") == 0 && !group->gr_mem[2];
}

/* True for a right answer, false for "cannot tell"; errno tells glibc which of the two kinds. */
static int judge(enum nss_status status, int error, int right, const char *what)
{
    if (status == NSS_STATUS_SUCCESS && right)
        return 1;
    if ((status == NSS_STATUS_UNAVAIL && error == EAGAIN)
        || (status == NSS_STATUS_TRYAGAIN && error == ENOMEM))
        return 0;
    wrong(what);
    return 0;
}

/* Everybody that the map knows, each right or "cannot tell"; how many of the four were right. */
__attribute__((unused)) static int ask(const struct module *module)
{
    char buffer[ROOM];
    struct passwd user;
    struct group group;
    enum nss_status status;
    int error = 0, right = 0;
    status = module->user_by_name("alice", &user, buffer, ROOM, &error);
    right += judge(status, error, status == NSS_STATUS_SUCCESS && is_alice(&user), "user alice");
    status = module->user_by_id(ALICE, &user, buffer, ROOM, &error);
    right += judge(status, error, status == NSS_STATUS_SUCCESS && is_alice(&user), "alice's id");
    status = module->group_by_name("dev", &group, buffer, ROOM, &error);
    right += judge(status, error, status == NSS_STATUS_SUCCESS && is_dev(&group), "group dev");
    status = module->group_by_id(DEV, &group, buffer, ROOM, &error);
    right += judge(status, error, status == NSS_STATUS_SUCCESS && is_dev(&group), "dev's id");
    return right;
}

/* Somebody whom neither map nor cacher know: one is nobody, the other cannot be told. */
__attribute__((unused)) static void ask_for_strangers(const struct module *module)
{
    char buffer[ROOM];
    struct passwd user;
    int error = 0;
    enum nss_status status = module->user_by_name("mallory", &user, buffer, ROOM, &error);
    if (status != NSS_STATUS_NOTFOUND && status != NSS_STATUS_UNAVAIL)
        wrong("mallory");
    status = module->user_by_id(STRANGER, &user, buffer, ROOM, &error);
    if (status != NSS_STATUS_UNAVAIL)
        wrong("an id that nobody has");
}

/* The groups of alice, in an array from malloc as glibc passes it; true when they are right. */
__attribute__((unused)) static int ask_for_groups(const struct module *module)
{
    long used = 1, size = 1;
    int error = 0;
    gid_t *list = malloc(sizeof *list);
    if (!list)
        return 0;
    list[0] = ALICE;
    enum nss_status status = module->groups_of("alice", ALICE, &used, &size, &list, -1, &error);
    int right = used == 3 && list[0] == ALICE && list[1] == DEV && list[2] == DEV + 1;
    free(list);
    return judge(status, error, right, "alice's groups");
}

/* How many lines of a file of /proc contain a text. */
__attribute__((unused)) static int lines_with(const char *path, const char *text)
{
    char line[4096];
    int found = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        wrong(path);
    while (fgets(line, sizeof line, file))
        found += strstr(line, text) != NULL;
    fclose(file);
    return found;
}

/* How many maps this process holds in memory. */
__attribute__((unused)) static int maps_held(void)
{
    return lines_with("/proc/self/maps", "memfd:identity.map");
}

__attribute__((unused)) static int descriptors(void)
{
    int open_ones = 0;
    for (int each = 0; each < 4096; each++)
        open_ones += fcntl(each, F_GETFD) >= 0;
    return open_ones;
}

#endif
