/*
 * Loads the module and lets it go, again and again, with lookups in between: by glibc in the middle
 * of it, and directly.
 *
 * loads MODULE TIMES
 */
#define _GNU_SOURCE
#include "module.h"

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    int times = atoi(arguments[2]), before = 0, mapped = 0, open_before = 0;
    long right = 0;
    for (int each = 0; each < times; each++) {
        void *handle = load(arguments[1]);
        struct module module = module_at(arguments[1]);
        right += ask(&module);
        if (each % 100 == 0 && !getpwnam("alice"))
            wrong("glibc");
        dlclose(handle);
        dlclose(handle);
        /* what was looked up in a library that is gone would crash here */
        right += ask(&module);
        if (maps_held() > 1)
            wrong("more than one map is held");
        if (each == 200) {
            before = lines_with("/proc/self/maps", "");
            mapped = lines_with("/proc/self/maps", "libnss_cloudid");
            open_before = descriptors();
        }
    }
    if (lines_with("/proc/self/maps", "libnss_cloudid") != mapped
        || lines_with("/proc/self/maps", "") > before + 2)
        wrong("mappings were left");
    if (descriptors() != open_before)
        wrong("descriptors were left");
    printf("right %ld held %d\n", right, maps_held());
    return 0;
}
