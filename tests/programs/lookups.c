/* Resolves names the way any program does, with what its C library brings: built with glibc and,
 * static, with musl, which knows no NSS. Prints what it finds, one line each. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_user(const struct passwd *user) {
    if (!user) {
        printf("no user\n");
        return;
    }
    printf("%s:%s:%u:%u:%s:%s:%s\n", user->pw_name, user->pw_passwd, (unsigned)user->pw_uid,
           (unsigned)user->pw_gid, user->pw_gecos, user->pw_dir, user->pw_shell);
}

static void print_group(const struct group *group) {
    if (!group) {
        printf("no group\n");
        return;
    }
    printf("%s:%s:%u:", group->gr_name, group->gr_passwd, (unsigned)group->gr_gid);
    for (char **member = group->gr_mem; *member; member++)
        printf("%s%s", member == group->gr_mem ? "" : ",", *member);
    printf("\n");
}

static int by_number(const void *one, const void *other) {
    gid_t a = *(const gid_t *)one, b = *(const gid_t *)other;
    return a < b ? -1 : a > b;
}

static void print_groups(const char *name, gid_t primary) {
    gid_t groups[256];
    int count = 256;
    if (getgrouplist(name, primary, groups, &count) < 0) {
        printf("no list: %s\n", strerror(errno));
        return;
    }
    qsort(groups, (size_t)count, sizeof *groups, by_number);
    for (int at = 0; at < count; at++)
        printf("%s%u", at ? " " : "", (unsigned)groups[at]);
    printf("\n");
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    const char *kind = arguments[1], *key = arguments[2];
    if (!strcmp(kind, "user"))
        print_user(getpwnam(key));
    else if (!strcmp(kind, "uid"))
        print_user(getpwuid((uid_t)strtoul(key, 0, 10)));
    else if (!strcmp(kind, "group"))
        print_group(getgrnam(key));
    else if (!strcmp(kind, "gid"))
        print_group(getgrgid((gid_t)strtoul(key, 0, 10)));
    else if (!strcmp(kind, "groups"))
        print_groups(key, 60000);
    else
        return 2;
    return 0;
}
