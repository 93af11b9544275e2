/*
 * Random questions over the whole interface of glibc's users and groups, the same ones for the same
 * seed, with buffers of random length. Prints one number for every thousand answers, or the answers
 * themselves.
 *
 * differential SEED OPERATIONS PEOPLE GROUPS FIRST_UID FIRST_GID [print-from print-to]
 *     people are called person0, person1, ...; groups team0, team1, ...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 17, GROUPS_MAX = 4096, BLOCK = 1000 };

static uint64_t state, hash = 14695981039346656037u;
static long operation, print_from = -1, print_to = -1;
static char buffer[BUFFER_BYTES];

static uint32_t below(uint32_t end)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % end;
}

static void say(const char *format, ...)
{
    static char text[BUFFER_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int each = 0; each < length && each < (int)sizeof text - 1; each++)
        hash = (hash ^ (unsigned char)text[each]) * 1099511628211u;
    if (operation >= print_from && operation < print_to)
        fputs(text, stdout);
}

static void say_user(const char *how, size_t length, int error, const struct passwd *user)
{
    say("\n%s, %zu bytes: %d ", how, length, error);
    if (user)
        say("%s:%s:%u:%u:%s:%s:%s", user->pw_name, user->pw_passwd, user->pw_uid, user->pw_gid,
            user->pw_gecos, user->pw_dir, user->pw_shell);
}

static void say_group(const char *how, size_t length, int error, const struct group *group)
{
    say("\n%s, %zu bytes: %d ", how, length, error);
    if (!group)
        return;
    say("%s:%s:%u:", group->gr_name, group->gr_passwd, group->gr_gid);
    for (char **member = group->gr_mem; *member; member++)
        say("%s,", *member);
}

/*
 * Enough, or not enough, never between: how much an entry takes differs by the pointers and the
 * spare bytes that nss_files puts beside it, and no program may rely on it.
 */
static size_t room(void)
{
    static const size_t lengths[] = {0, 1, 8, 16, 60000, 65536, BUFFER_BYTES};
    return lengths[below(sizeof lengths / sizeof lengths[0])];
}

static const char *name_of(const char *stem, uint32_t count)
{
    static const char *odd[] = {"root", "nobody", "", "mallory", "person", "PERSON1", "person01",
                                "team", "a:b", "person1 ", "daemon", "nogroup"};
    static char name[64];
    if (below(8) == 0)
        return odd[below(sizeof odd / sizeof odd[0])];
    snprintf(name, sizeof name, "%s%u", stem, below(count));
    return name;
}

static uint32_t id_from(uint32_t first, uint32_t count)
{
    static const uint32_t odd[] = {0, 1, 65534, 4294967294u, 4294967295u, 1000, 2147483648u};
    return below(8) ? first + below(count) : odd[below(sizeof odd / sizeof odd[0])];
}

static int by_number(const void *one, const void *other)
{
    gid_t a = *(const gid_t *)one, b = *(const gid_t *)other;
    return a < b ? -1 : a > b;
}

/* In which order a user's groups come is nobody's promise. */
static void say_groups(gid_t *groups, int count)
{
    qsort(groups, (size_t)count, sizeof *groups, by_number);
    for (int each = 0; each < count; each++)
        say("%u,", groups[each]);
}

static void group_list(const char *name, gid_t gid)
{
    static gid_t groups[GROUPS_MAX];
    int room = (int)below(4) ? GROUPS_MAX : (int)below(3);
    int count = room;
    int outcome = getgrouplist(name, gid, groups, &count);
    say("\ngroups of %s with %u, room for %d: %d %d ", name, gid, room, outcome, count);
    if (outcome >= 0)
        say_groups(groups, count);
}

static void set_groups(const char *name, gid_t gid)
{
    static gid_t groups[GROUPS_MAX];
    int outcome = initgroups(name, gid);
    int count = getgroups(GROUPS_MAX, groups);
    say("\ninitgroups %s %u: %d %d ", name, gid, outcome, count);
    say_groups(groups, count);
}

static void list(int groups)
{
    struct passwd user, *next_user = NULL;
    struct group group, *next_group = NULL;
    size_t length = below(4) ? BUFFER_BYTES : 16;
    int error = groups ? getgrent_r(&group, buffer, length, &next_group)
                       : getpwent_r(&user, buffer, length, &next_user);
    if (groups)
        say_group("next group", length, error, next_group);
    else
        say_user("next user", length, error, next_user);
}

static void one(uint32_t people, uint32_t groups, uint32_t first_uid, uint32_t first_gid)
{
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    size_t length = room();
    const char *name;
    uint32_t id;
    int error;
    switch (below(12)) {
    case 0: case 1:
        name = name_of("person", people);
        error = getpwnam_r(name, &user, buffer, length, &found_user);
        say_user(name, length, error, found_user);
        break;
    case 2: case 3:
        id = id_from(first_uid, people);
        error = getpwuid_r(id, &user, buffer, length, &found_user);
        say("\nuid %u", id);
        say_user("", length, error, found_user);
        break;
    case 4: case 5:
        name = name_of("team", groups);
        error = getgrnam_r(name, &group, buffer, length, &found_group);
        say_group(name, length, error, found_group);
        break;
    case 6: case 7:
        id = id_from(first_gid, groups);
        error = getgrgid_r(id, &group, buffer, length, &found_group);
        say("\ngid %u", id);
        say_group("", length, error, found_group);
        break;
    case 8:
        group_list(name_of("person", people), id_from(first_gid, groups));
        break;
    case 9:
        set_groups(name_of("person", people), id_from(first_gid, groups));
        break;
    case 10:
        list((int)below(2));
        break;
    default:
        if (below(200) == 0) {
            setpwent();
            setgrent();
            say("\nagain");
        }
    }
}

int main(int count, char **arguments)
{
    if (count < 7)
        return 2;
    state = strtoull(arguments[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    long operations = atol(arguments[2]);
    uint32_t numbers[4];
    for (int each = 0; each < 4; each++)
        numbers[each] = (uint32_t)strtoul(arguments[3 + each], NULL, 10);
    if (count > 8) {
        print_from = atol(arguments[7]);
        print_to = atol(arguments[8]);
    }
    for (operation = 0; operation < operations; operation++) {
        one(numbers[0], numbers[1], numbers[2], numbers[3]);
        if (print_from < 0 && (operation + 1) % BLOCK == 0)
            printf("%016llx\n", (unsigned long long)hash);
    }
    return 0;
}
