/* ids.h - users and groups by name or number */
#ifndef COMMON_IDS_H
#define COMMON_IDS_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Looked up as the C library is told to, nsswitch.conf(5). A static build reads
 * /etc/passwd and /etc/group alone, because the library would load shared
 * objects for it, which a static program does not survive.
 */

/* ids_number - a whole decimal number below the value that means "no id" */
bool ids_number(const char *text, unsigned *out);

/* ids_user - by name; its primary group too. False: there is none. */
bool ids_user(const char *name, uid_t *uid, gid_t *gid);
/* ids_user_group - the primary group of a number */
bool ids_user_group(uid_t uid, gid_t *gid);
bool ids_group(const char *name, gid_t *gid);
/* ids_members - the groups that a user, by name or number, is a member of, gid
 * among them. *count in: room in out; out: how many. False: more than the
 * room. A number without a user has gid alone. */
bool ids_members(const char *user, gid_t gid, gid_t *out, size_t *count);
#endif
