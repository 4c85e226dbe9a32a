/*
 * drop.c - give up root, and prove it
 *
 * Owns every call to setgroups, setres[ug]id and capset in the program.
 * Runs once in each process that leaves root, before it reads anything that it
 * did not write itself.
 * Must never open a file after drop_resolve, never log, and never let a process
 * go on after a failure: the caller ends it.
 */
#include "master/drop.h"
#include "common/ids.h"
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(cap) (UINT64_C(1) << (cap))
#define CAP_END      64 /* capability sets are 64 bits wide */

struct sets { /* of this process */
    uint64_t effective, permitted, inheritable;
};

static enum err
sets_get(struct sets *sets, struct why *why)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

    if (syscall(SYS_capget, &head, data) != 0)
        return why_errno(why, ERR_PRIV, "capget");
    sets->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    sets->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    sets->inheritable =
        (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    return ERR_OK;
}

/* sets_put - install exactly these, and read back that they are */
static enum err
sets_put(const struct sets *sets, struct why *why)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = {
        { (uint32_t)sets->effective, (uint32_t)sets->permitted,
          (uint32_t)sets->inheritable },
        { (uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
          (uint32_t)(sets->inheritable >> 32) },
    };
    struct sets now = { 0 };
    enum err err;

    if (syscall(SYS_capset, &head, data) != 0)
        return why_errno(why, ERR_PRIV, "capset");
    if ((err = sets_get(&now, why)) != ERR_OK)
        return err;
    if (now.effective != sets->effective || now.permitted != sets->permitted ||
        now.inheritable != sets->inheritable)
        return why_set(why, ERR_PRIV, "capabilities do not read back");
    return ERR_OK;
}

/* caps_bits - enum drop_caps as the kernel's bits */
static uint64_t
caps_bits(unsigned caps)
{
    return ((caps & DROP_CAP_CHROOT) != 0 ? CAP_BIT(CAP_SYS_CHROOT) : 0) |
           ((caps & DROP_CAP_READ) != 0 ? CAP_BIT(CAP_DAC_READ_SEARCH) : 0);
}

static enum err
resolve_group(const char *name, gid_t *out, struct why *why)
{
    if (ids_number(name, out) || ids_group(name, out))
        return ERR_OK;
    return why_set(why, ERR_CONF,
                   "no group \"%s\"; make it with: addgroup --system %s", name,
                   name);
}

/* resolve_user - uid, and the primary group unless one is named */
static enum err
resolve_user(const char *user, const char *group, struct drop_ids *out,
             struct why *why)
{
    bool numeric = ids_number(user, &out->uid), listed;

    listed = numeric ? ids_user_group(out->uid, &out->gid)
                     : ids_user(user, &out->uid, &out->gid);
    if (!listed && !numeric)
        return why_set(why, ERR_CONF,
                       "no user \"%s\"; make it with: adduser --system --group "
                       "--no-create-home %s",
                       user, user);
    if (group != NULL)
        return resolve_group(group, &out->gid, why);
    if (!listed)
        return why_set(
            why, ERR_CONF,
            "user %s is in no user list: give its group with group=", user);
    return ERR_OK;
}

/* is_member - is this process in the group? */
static bool
is_member(gid_t gid)
{
    gid_t own[NGROUPS_MAX];
    int count = getgroups(NGROUPS_MAX, own);

    for (int i = 0; i < count; i++)
        if (own[i] == gid)
            return true;
    return gid == getegid();
}

/* check_ids - what these ids may be, for root and for the rest of us */
static enum err
check_ids(const struct drop_ids *ids, const char *user, struct why *why)
{
    if (ids->root && ids->uid == 0)
        return why_set(why, ERR_CONF, "user must not be root");
    if (ids->root && ids->gid == 0)
        return why_set(why, ERR_CONF, "group must not be root");
    if (!ids->root && user != NULL && ids->uid != geteuid())
        return why_set(why, ERR_CONF,
                       "user = %s needs a start as root, this is uid %u", user,
                       (unsigned)geteuid());
    if (!ids->root && ids->gid != getegid())
        return why_set(why, ERR_CONF, "group %u needs a start as root",
                       (unsigned)ids->gid);
    for (size_t i = 0; i < ids->group_count; i++) {
        if (ids->root && ids->groups[i] == 0)
            return why_set(why, ERR_CONF, "groups must not hold root");
        if (!ids->root && !is_member(ids->groups[i]))
            return why_set(why, ERR_CONF, "groups: %u needs a start as root",
                           (unsigned)ids->groups[i]);
    }
    return ERR_OK;
}

/* can_change_ids - have we got what setresuid and setgroups ask for? */
static enum err
can_change_ids(bool *can, struct why *why)
{
    const uint64_t needed = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID);
    struct sets sets = { 0 };
    enum err err = sets_get(&sets, why);

    if (err != ERR_OK)
        return err;
    *can = (sets.effective & needed) == needed;
    if (!*can && (getuid() == 0 || geteuid() == 0))
        return why_set(why, ERR_PRIV,
                       "root without CAP_SETUID and CAP_SETGID cannot leave "
                       "root: grant both, or start as an ordinary user");
    return ERR_OK;
}

enum err
drop_resolve(const char *user, const char *group, char *const *groups,
             size_t group_count, struct drop_ids *out, struct why *why)
{
    enum err err;

    memset(out, 0, sizeof(*out));
    if ((err = can_change_ids(&out->root, why)) != ERR_OK)
        return err;
    if (group_count > DROP_GROUPS_MAX)
        return why_set(why, ERR_CONF, "groups: more than %d", DROP_GROUPS_MAX);
    out->uid = geteuid();
    out->gid = getegid();
    if (user == NULL && out->root)
        user = "mtlsd";
    if (user != NULL)
        err = resolve_user(user, group, out, why);
    else if (group != NULL)
        err = resolve_group(group, &out->gid, why);
    for (size_t i = 0; i < group_count && err == ERR_OK; i++)
        err = resolve_group(groups[i], &out->groups[i], why);
    out->group_count = group_count;
    if (!out->root && group == NULL)
        out->gid = getegid(); /* newgrp(1) may have set another than passwd's */
    return err == ERR_OK ? check_ids(out, user, why) : err;
}

/* check_exec - what the ids of programs may be when we cannot change ids */
static enum err
check_exec(const struct drop_ids *ids, const char *user, struct why *why)
{
    if (ids->uid != geteuid())
        return why_set(why, ERR_CONF,
                       "exec_user = %s needs a start as root, this is uid %u",
                       user, (unsigned)geteuid());
    if (!is_member(ids->gid))
        return why_set(why, ERR_CONF,
                       "exec_group: group %u needs a start as root",
                       (unsigned)ids->gid);
    return ERR_OK;
}

enum err
drop_resolve_exec(const char *user, const char *group, struct drop_ids *out,
                  struct why *why)
{
    enum err err;

    memset(out, 0, sizeof(*out));
    if ((err = can_change_ids(&out->root, why)) != ERR_OK)
        return err;
    if (user == NULL && out->root)
        return why_set(why, ERR_CONF,
                       "exec_user is missing: who programs run as must be "
                       "said when we are started as root");
    out->uid = geteuid();
    out->gid = getegid();
    if (user != NULL)
        err = resolve_user(user, group, out, why);
    else if (group != NULL)
        err = resolve_group(group, &out->gid, why);
    if (err != ERR_OK)
        return err;
    if (!out->root)
        return check_exec(out, user, why);
    out->group_count = DROP_GROUPS_MAX;
    if (!ids_members(user, out->gid, out->groups, &out->group_count))
        return why_set(why, ERR_CONF,
                       "exec_user = %s is in more than %d groups", user,
                       DROP_GROUPS_MAX);
    return ERR_OK;
}

/* empty_bounding - no later exec can gain what is not in here. Only with
 * CAP_SETPCAP; without it no_new_privs has to do. */
static enum err
empty_bounding(struct why *why)
{
    struct sets sets = { 0 };
    enum err err = sets_get(&sets, why);

    if (err != ERR_OK)
        return err;
    if ((sets.effective & CAP_BIT(CAP_SETPCAP)) == 0)
        return ERR_OK;
    for (int cap = 0; cap < CAP_END; cap++) {
        int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

        if (has < 0)
            break; /* EINVAL: the kernel's last one is behind us */
        if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return why_errno(why, ERR_PRIV, "PR_CAPBSET_DROP %d", cap);
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
            return why_set(why, ERR_PRIV, "the bounding set keeps %d", cap);
    }
    return ERR_OK;
}

static enum err
change_ids(const struct drop_ids *ids, bool with_groups, struct why *why)
{
    if (setgroups(with_groups ? ids->group_count : 0, ids->groups) != 0)
        return why_errno(why, ERR_PRIV, "setgroups");
    if (setresgid(ids->gid, ids->gid, ids->gid) != 0)
        return why_errno(why, ERR_PRIV, "setresgid");
    if (setresuid(ids->uid, ids->uid, ids->uid) != 0)
        return why_errno(why, ERR_PRIV, "setresuid");
    return ERR_OK;
}

/* read_ids - do all of them read back as wanted? */
static enum err
read_ids(const struct drop_ids *ids, struct why *why)
{
    uid_t uid[3];
    gid_t gid[3];

    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 ||
        getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return why_errno(why, ERR_PRIV, "getresuid");
    for (int i = 0; i < 3; i++)
        if (uid[i] != ids->uid || gid[i] != ids->gid)
            return why_set(why, ERR_PRIV, "ids do not read back");
    /* an impossible id changes nothing and returns the present one */
    if ((uid_t)setfsuid((uid_t)-1) != ids->uid ||
        (gid_t)setfsgid((gid_t)-1) != ids->gid)
        return why_set(why, ERR_PRIV, "file system ids do not read back");
    return ERR_OK;
}

/* read_groups - exactly the wanted ones, in any order */
static enum err
read_groups(const struct drop_ids *ids, bool with_groups, struct why *why)
{
    size_t want = with_groups ? ids->group_count : 0;
    gid_t own[DROP_GROUPS_MAX];
    int count = getgroups(DROP_GROUPS_MAX, own);

    if (count < 0 || (size_t)count != want)
        return why_set(why, ERR_PRIV, "supplementary groups do not read back");
    for (int i = 0; i < count; i++) {
        bool known = false;

        for (size_t k = 0; k < want; k++)
            known = known || own[i] == ids->groups[k];
        if (!known)
            return why_set(why, ERR_PRIV, "a supplementary group is left");
    }
    return ERR_OK;
}

/* try_back - root must be out of reach */
static enum err
try_back(struct why *why)
{
    const gid_t root = 0;

    if (setresuid(0, 0, 0) == 0 || setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
        setresgid(0, 0, 0) == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) == 0 ||
        setgroups(1, &root) == 0)
        return why_set(why, ERR_PRIV, "root could be taken back");
    return ERR_OK;
}

/* leave_root - everything that only root can do, in the order that works */
static enum err
leave_root(const struct drop_ids *ids, unsigned caps, bool with_groups,
           struct why *why)
{
    enum err err = empty_bounding(why);

    if (err != ERR_OK)
        return err;
    if (prctl(PR_SET_KEEPCAPS, caps != 0, 0, 0, 0) != 0)
        return why_errno(why, ERR_PRIV, "PR_SET_KEEPCAPS");
    if ((err = change_ids(ids, with_groups, why)) != ERR_OK)
        return err;
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
        return why_errno(why, ERR_PRIV, "PR_SET_KEEPCAPS");
    return ERR_OK;
}

/* shrink - permitted becomes what is left of caps, every other set empty */
static enum err
shrink(uint64_t bits, struct why *why)
{
    struct sets sets = { 0 };
    enum err err = sets_get(&sets, why);

    if (err != ERR_OK)
        return err;
    sets.permitted &= bits;
    sets.effective = 0;
    sets.inheritable = 0;
    /* EINVAL: a kernel without ambient capabilities has none to clear */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 &&
        errno != EINVAL)
        return why_errno(why, ERR_PRIV, "PR_CAP_AMBIENT");
    return sets_put(&sets, why);
}

/* seal - no_new_privs and no core, no ptrace by our own uid */
static enum err
seal(struct why *why)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return why_errno(why, ERR_PRIV, "PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return why_errno(why, ERR_PRIV, "PR_SET_DUMPABLE");
    return ERR_OK;
}

enum err
drop_now(const struct drop_ids *ids, unsigned caps, bool with_groups,
         struct why *why)
{
    enum err err = ERR_OK;

    if (ids->root && (ids->uid == 0 || ids->gid == 0))
        return why_set(why, ERR_PRIV, "cannot drop to root");
    if (ids->root)
        err = leave_root(ids, caps, with_groups, why);
    if (err == ERR_OK)
        err = shrink(ids->root ? caps_bits(caps) : 0, why);
    if (err == ERR_OK)
        err = seal(why);
    if (err == ERR_OK && ids->root)
        err = try_back(why);
    if (err == ERR_OK)
        err = read_ids(ids, why);
    if (err == ERR_OK && ids->root)
        err = read_groups(ids, with_groups, why);
    return err;
}

enum err
drop_exec(const struct drop_ids *ids, struct why *why)
{
    enum err err = ERR_OK;

    if (ids->root)
        err = change_ids(ids, true, why);
    if (err == ERR_OK)
        err = shrink(0, why);
    if (err == ERR_OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        err = why_errno(why, ERR_PRIV, "PR_SET_DUMPABLE");
    if (err == ERR_OK && ids->root && ids->uid != 0)
        err = try_back(why);
    if (err == ERR_OK)
        err = read_ids(ids, why);
    if (err == ERR_OK && ids->root)
        err = read_groups(ids, true, why);
    return err;
}

enum err
drop_caps_use(unsigned caps, struct why *why)
{
    uint64_t bits = caps_bits(caps);
    struct sets sets = { 0 };
    enum err err = sets_get(&sets, why);

    if (err != ERR_OK)
        return err;
    if ((sets.permitted & bits) != bits)
        return why_set(why, ERR_PRIV, "missing capability: %s",
                       (bits & ~sets.permitted & CAP_BIT(CAP_SYS_CHROOT)) != 0
                           ? "CAP_SYS_CHROOT"
                           : "CAP_DAC_READ_SEARCH");
    sets.effective = bits;
    return sets_put(&sets, why);
}

enum err
drop_caps_keep(unsigned caps, struct why *why)
{
    return shrink(caps_bits(caps), why);
}

enum err
drop_caps_forget(struct why *why)
{
    return shrink(0, why);
}

bool
drop_has(unsigned cap)
{
    struct sets sets = { 0 };
    uint64_t bits = caps_bits(cap);

    return sets_get(&sets, NULL) == ERR_OK && (sets.permitted & bits) == bits;
}
