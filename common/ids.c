/*
 * ids.c - users and groups by name or number
 *
 * Owns every look-up in the user database. Runs at boot alone, before the drop.
 */
#include "common/ids.h"
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool
ids_number(const char *text, unsigned *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value >= UINT_MAX)
            return false;
    }
    *out = (unsigned)value;
    return true;
}

#ifdef MTLSD_STATIC
/* find_user - by name, or by number when there is no name */
static const struct passwd *
find_user(const char *name, uid_t uid)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry = NULL;

    while (file != NULL && (entry = fgetpwent(file)) != NULL)
        if (name != NULL ? strcmp(entry->pw_name, name) == 0
                         : entry->pw_uid == uid)
            break;
    if (file != NULL)
        fclose(file);
    return entry;
}

static const struct group *
find_group(const char *name)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *entry = NULL;

    while (file != NULL && (entry = fgetgrent(file)) != NULL)
        if (strcmp(entry->gr_name, name) == 0)
            break;
    if (file != NULL)
        fclose(file);
    return entry;
}

/* find_members - getgrouplist(3) over /etc/group; -1: more than the room */
static int
find_members(const char *name, gid_t gid, gid_t *out, int room)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *entry;
    int count = 0;

    out[count++] = gid;
    while (file != NULL && count <= room && (entry = fgetgrent(file)) != NULL) {
        char *const *member = entry->gr_mem;

        while (*member != NULL && strcmp(*member, name) != 0)
            member++;
        if (*member == NULL || entry->gr_gid == gid)
            continue;
        if (count < room)
            out[count] = entry->gr_gid;
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count <= room ? count : -1;
}
#else
static const struct passwd *
find_user(const char *name, uid_t uid)
{
    return name != NULL ? getpwnam(name) : getpwuid(uid);
}

static const struct group *
find_group(const char *name)
{
    return getgrnam(name);
}

static int
find_members(const char *name, gid_t gid, gid_t *out, int room)
{
    return getgrouplist(name, gid, out, &room) < 0 ? -1 : room;
}
#endif

bool
ids_user(const char *name, uid_t *uid, gid_t *gid)
{
    const struct passwd *entry = find_user(name, 0);

    if (entry == NULL)
        return false;
    *uid = entry->pw_uid;
    *gid = entry->pw_gid;
    return true;
}

bool
ids_user_group(uid_t uid, gid_t *gid)
{
    const struct passwd *entry = find_user(NULL, uid);

    if (entry != NULL)
        *gid = entry->pw_gid;
    return entry != NULL;
}

bool
ids_group(const char *name, gid_t *gid)
{
    const struct group *entry = find_group(name);

    if (entry != NULL)
        *gid = entry->gr_gid;
    return entry != NULL;
}

bool
ids_members(const char *user, gid_t gid, gid_t *out, size_t *count)
{
    unsigned number;
    const struct passwd *entry = ids_number(user, &number)
                                     ? find_user(NULL, number)
                                     : find_user(user, 0);
    char name[64];
    int found = 1;

    out[0] = gid;
    if (entry != NULL) {
        /* the next look-up may use the same memory */
        (void)snprintf(name, sizeof(name), "%s", entry->pw_name);
        found = find_members(name, gid, out, (int)*count);
    }
    if (found >= 0)
        *count = (size_t)found;
    return found >= 0;
}
