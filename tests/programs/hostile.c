/*
 * Takes every lock there is on the files named, looks people up until it has whatever a process is
 * given, and then does nothing for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int main(int count, char **files)
{
    int opened = 0, flocks = 0, locks = 0, leases = 0;
    for (int each = 1; each < count; each++) {
        int file = open(files[each], O_RDONLY);
        if (file < 0)
            continue;
        opened++;
        struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        flocks += flock(file, LOCK_EX | LOCK_NB) == 0;
        locks += fcntl(file, F_SETLK, &all) == 0;
        leases += fcntl(file, F_SETLEASE, F_RDLCK) == 0;
    }
    int found = 0;
    for (int each = 0; each < 1000; each++)
        found += getpwnam("alice") != NULL;
    printf("%d files open, %d flocks, %d locks, %d leases, alice found %d times, holding\n", opened,
           flocks, locks, leases, found);
    fflush(stdout);
    for (;;)
        pause();
}
