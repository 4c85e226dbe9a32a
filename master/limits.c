/*
 * limits.c - resource limits, raised or refused at boot, tightened in children
 *
 * Owns every call to setrlimit in the program.
 * Must never lower what an administrator gave to the master, and never start
 * with less than the configuration needs: running out later costs connections.
 */
#include "master/limits.h"
#include <sys/resource.h>

struct kind {
    unsigned resource; /* an enum of the C library, unsigned there */
    const char *what;
    const char *systemd;
};

static const struct kind kind_files = { RLIMIT_NOFILE, "open files",
                                        "LimitNOFILE" };
static const struct kind kind_processes = { RLIMIT_NPROC, "processes",
                                            "LimitNPROC" };
static const struct kind kind_locked = { RLIMIT_MEMLOCK, "locked memory",
                                         "LimitMEMLOCK" };

/* raise_one - soft at least need; hard too, where we may */
static enum err
raise_one(const struct kind *kind, rlim_t need, struct why *why)
{
    struct rlimit limit, wanted;

    if (getrlimit(kind->resource, &limit) != 0)
        return why_errno(why, ERR_SYS, "getrlimit %s", kind->what);
    if (limit.rlim_cur >= need)
        return ERR_OK;
    wanted.rlim_cur = need;
    wanted.rlim_max = limit.rlim_max > need ? limit.rlim_max : need;
    if (setrlimit(kind->resource, &wanted) != 0)
        return why_errno(why, ERR_SYS,
                         "%s: the limit is %llu, the configuration needs "
                         "%llu; set %s=%llu in the unit, or raise the hard "
                         "limit",
                         kind->what, (unsigned long long)limit.rlim_max,
                         (unsigned long long)need, kind->systemd,
                         (unsigned long long)need);
    return ERR_OK;
}

/* fix - soft and hard at most value, never above what is there */
static enum err
fix(unsigned resource, rlim_t value, const char *what, struct why *why)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return why_errno(why, ERR_SYS, "getrlimit %s", what);
    if (limit.rlim_max > value)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(resource, &limit) != 0)
        return why_errno(why, ERR_SYS, "setrlimit %s", what);
    return ERR_OK;
}

enum err
limits_raise(const struct limits_need *need, struct why *why)
{
    enum err err = fix(RLIMIT_CORE, 0, "core", why);

    if (err == ERR_OK)
        err = raise_one(&kind_files, need->descriptors, why);
    if (err == ERR_OK)
        err = raise_one(&kind_processes, need->processes, why);
    if (err == ERR_OK)
        err = raise_one(&kind_locked, need->locked, why);
    return err;
}

enum err
limits_child(unsigned long descriptors, struct why *why)
{
    enum err err = fix(RLIMIT_CORE, 0, "core", why);

    if (err == ERR_OK && descriptors > 0)
        err = fix(RLIMIT_NOFILE, descriptors, "open files", why);
    if (err == ERR_OK)
        err = fix(RLIMIT_FSIZE, 0, "file size", why);
    if (err == ERR_OK)
        err = fix(RLIMIT_NPROC, 0, "processes", why);
    return err;
}
