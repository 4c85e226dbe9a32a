/* drop.h - give up root, and prove it */
#ifndef MASTER_DROP_H
#define MASTER_DROP_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DROP_GROUPS_MAX 32

struct drop_ids { /* who a process becomes; resolved once at boot, as root */
    bool root;    /* were we started with root's power to change ids? */
    uid_t uid;
    gid_t gid;
    size_t group_count;
    gid_t groups[DROP_GROUPS_MAX]; /* supplementary, of the master alone */
};

enum drop_caps {                      /* what is kept in the permitted set */
                 DROP_CAP_CHROOT = 1, /* CAP_SYS_CHROOT */
                 DROP_CAP_READ = 2,   /* CAP_DAC_READ_SEARCH */
};

/*
 * drop_resolve - names or numbers to ids. user NULL: "mtlsd" as root; the
 * caller's own ids when not root (a different user is then an error).
 * ERR_CONF: a missing user's why carries the adduser line:
 *   no user "mtlsd"; make it with: adduser --system --group
 *   --no-create-home mtlsd
 * uid 0 is refused: "user must not be root"; so is gid 0, in groups too.
 * ERR_PRIV: uid 0, but without the power to leave it.
 */
enum err drop_resolve(const char *user, const char *group, char *const *groups,
                      size_t group_count, struct drop_ids *out,
                      struct why *why);

/*
 * drop_now - setgroups, setresgid, setresuid, bounding set emptied, ambient
 * and inheritable cleared, permitted set reduced to caps (enum drop_caps),
 * effective empty, no_new_privs, dumpable 0; then proves that root cannot be
 * taken back, that ids and sets read back as wanted. with_groups: master.
 * Not root: only no_new_privs, dumpable 0 and the capability sets cleared.
 * ERR_PRIV: the process must end.
 */
enum err drop_now(const struct drop_ids *ids, unsigned caps, bool with_groups,
                  struct why *why);

/*
 * drop_resolve_exec - who a runner and its programs are (exec_user, exec_group),
 * with the supplementary groups that the user has
 * user NULL: the caller's own ids; as root that is an error, and uid 0 must be
 * asked for by name or number. Not root: nobody else can be asked for.
 * ERR_CONF: why speaks of the key.
 */
enum err drop_resolve_exec(const char *user, const char *group,
                           struct drop_ids *out, struct why *why);

/*
 * drop_exec - become these ids for good, with no capability and not dumpable.
 * Unlike drop_now it sets no no_new_privs and leaves the bounding set: both
 * would pass to programs, and a setuid program would get nothing.
 * ERR_PRIV: the process must end.
 */
enum err drop_exec(const struct drop_ids *ids, struct why *why);

/* drop_caps_with - make caps effective, or none with 0; ERR_PRIV when they are
 * not permitted. Used around the one call that needs them. */
enum err drop_caps_use(unsigned caps, struct why *why);

/* drop_caps_keep - give up for good what is not in caps */
enum err drop_caps_keep(unsigned caps, struct why *why);

/* drop_caps_forget - empty every set for good, in a child */
enum err drop_caps_forget(struct why *why);

/* drop_has - is it in the permitted set? */
bool drop_has(unsigned cap);
#endif
