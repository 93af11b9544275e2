/* Prints the passwd line of each name; 2 when one is missing. */
#include <pwd.h>
#include <stdio.h>

int main(int count, char **names)
{
    int missing = 0;
    for (int each = 1; each < count; each++) {
        struct passwd *user = getpwnam(names[each]);
        if (user)
            printf("%s:%s:%u:%u:%s:%s:%s\n", user->pw_name, user->pw_passwd, user->pw_uid,
                   user->pw_gid, user->pw_gecos, user->pw_dir, user->pw_shell);
        else
            missing = 2;
    }
    return missing;
}
