/*
 * What rpc.idmapd does all day, without the kernel's NFS server: names of files' owners to ids and
 * back, by its library, which asks glibc.
 *
 * idmap PEOPLE FIRST_UID ROUNDS
 *     people are called person0, person1, ...
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char DOMAIN[] = "example.org";

static int (*init)(char *conffile);
static int (*name_to_uid)(char *name, uid_t *uid);
static int (*uid_to_name)(uid_t uid, char *domain, char *name, size_t length);

static void *function(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    return found;
}

/* What the process has in memory that is its own, in KiB. */
static long memory(void)
{
    char line[256];
    long number = 0, all = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %ld", &number) == 1 || sscanf(line, "RssShmem: %ld", &number) == 1)
            all += number;
    if (file)
        fclose(file);
    return all;
}

static long ask_for_all(long people, uid_t first)
{
    long right = 0;
    char name[256], expected[256];
    for (long each = 0; each < people; each++) {
        uid_t uid = 0, wanted = first + (uid_t)each;
        char domain[sizeof DOMAIN];
        memcpy(domain, DOMAIN, sizeof DOMAIN);
        snprintf(expected, sizeof expected, "person%ld@%s", each, DOMAIN);
        int back = uid_to_name(wanted, domain, name, sizeof name);
        right += back == 0 && strcmp(name, expected) == 0;
        right += name_to_uid(expected, &uid) == 0 && uid == wanted;
    }
    return right;
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    void *library = dlopen("libnfsidmap.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    *(void **)&init = function(library, "nfs4_init_name_mapping");
    *(void **)&name_to_uid = function(library, "nfs4_name_to_uid");
    *(void **)&uid_to_name = function(library, "nfs4_uid_to_name");
    long people = atol(arguments[1]), rounds = atol(arguments[3]), right = 0;
    uid_t first = (uid_t)strtoul(arguments[2], NULL, 10);
    if (init(NULL))
        return 4;
    right += ask_for_all(people, first);
    long before = memory();
    for (long round = 1; round < rounds; round++)
        right += ask_for_all(people, first);
    printf("right %ld grew %ld\n", right, memory() - before);
    return 0;
}
