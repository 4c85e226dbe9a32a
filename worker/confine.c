/*
 * confine.c - the last look before the first client
 *
 * Owns the worker's own check of what spawn.c did to it: a step that silently
 * failed must not be found out by an attacker. Then loads the worker's own
 * filter: what the start needed, nobody needs again.
 */
#include "worker/confine.h"
#include "common/filter.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum err
no_capabilities(struct why *why)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    unsigned all;

    if (syscall(SYS_capget, &head, sets) != 0)
        return why_errno(why, ERR_PRIV, "capget");
    all = sets[0].effective | sets[0].permitted | sets[0].inheritable |
          sets[1].effective | sets[1].permitted | sets[1].inheritable;
    if (all != 0)
        return why_set(why, ERR_PRIV, "a capability is left");
    return ERR_OK;
}

enum err
confine_self(const struct filter *filter, struct why *why)
{
    enum err err;

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return why_set(why, ERR_PRIV, "no_new_privs is not set");
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return why_set(why, ERR_PRIV, "the process is dumpable");
    err = no_capabilities(why);
    return err == ERR_OK ? filter_load(filter, why) : err;
}
