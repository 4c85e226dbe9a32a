/*
 * limits.c - resource limits, raised or refused at boot, tightened in children
 *
 * Owns every call to setrlimit in the program.
 * Must never lower what an administrator gave to the master, and never start
 * with less than the configuration needs: running out later costs connections.
 */
#include "master/limits.h"
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define STACK_MAX (1u << 20)

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

/* ask - soft at least value; hard too, where we may; else as much as we get.
 * Returns what there is then. */
static rlim_t
ask(const struct kind *kind, rlim_t value)
{
    struct rlimit limit, wanted;

    if (getrlimit(kind->resource, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= value)
        return limit.rlim_cur;
    wanted.rlim_cur = value;
    wanted.rlim_max = limit.rlim_max > value ? limit.rlim_max : value;
    if (setrlimit(kind->resource, &wanted) == 0)
        return value;
    wanted.rlim_cur = wanted.rlim_max = limit.rlim_max;
    return setrlimit(kind->resource, &wanted) == 0 ? limit.rlim_max
                                                   : limit.rlim_cur;
}

/* raise_one - soft at least need, or an error that says what to do */
static enum err
raise_one(const struct kind *kind, rlim_t need, rlim_t wanted, rlim_t *have,
          struct why *why)
{
    *have = ask(kind, wanted > need ? wanted : need);
    if (*have < need)
        return why_set(why, ERR_SYS,
                       "%s: the limit is %llu, the configuration needs "
                       "%llu; set %s=%llu in the unit, or raise the hard "
                       "limit",
                       kind->what, (unsigned long long)*have,
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
limits_raise(const struct limits_need *need, unsigned long *descriptors,
             struct why *why)
{
    enum err err = fix(RLIMIT_CORE, 0, "core", why);
    rlim_t have = 0;

    if (err == ERR_OK)
        err =
            raise_one(&kind_files, need->descriptors, need->wanted, &have, why);
    *descriptors = have;
    if (err == ERR_OK)
        err = raise_one(&kind_locked, need->locked, need->locked, &have, why);
    if (err == ERR_OK)
        (void)ask(&kind_processes, need->processes);
    return err;
}

/* number_in - the number that a file begins with, 0: none ("max") or no file */
static unsigned long
number_in(const char *path)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    (void)!fgets(text, sizeof(text), file);
    (void)fclose(file);
    return strtoul(text, NULL, 10);
}

/* group_pids - the path of our control group's pids.max, as cgroups(7) has it;
 * false: there is none */
static bool
group_pids(char *path, size_t room)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        const char *one = strstr(line, ":pids:"), *two = strstr(line, "::");

        line[strcspn(line, "\n")] = '\0';
        if (one != NULL)
            (void)snprintf(path, room, "/sys/fs/cgroup/pids%s/pids.max",
                           one + strlen(":pids:"));
        else if (two != NULL)
            (void)snprintf(path, room, "/sys/fs/cgroup%s/pids.max",
                           two + strlen("::"));
        found = one != NULL || two != NULL;
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

void
limits_short(unsigned long processes,
             void (*tell)(void *ctx, const char *what, unsigned long is),
             void *ctx)
{
    static const char *const files[] = { "/proc/sys/kernel/pid_max",
                                         "/proc/sys/kernel/threads-max" };
    struct rlimit limit;
    unsigned long is;
    char path[600];

    if (getrlimit(kind_processes.resource, &limit) == 0 &&
        limit.rlim_cur < processes)
        tell(ctx, kind_processes.systemd, limit.rlim_cur);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if ((is = number_in(files[i])) != 0 && is < processes)
            tell(ctx, files[i], is);
    if (group_pids(path, sizeof(path)) && (is = number_in(path)) != 0 &&
        is < processes)
        tell(ctx, path, is);
}

#ifdef MTLSD_SANITIZE
/* shadow memory has no measure */
void
limits_weigh(void)
{
}

static enum err
fix_memory(rlim_t bytes, struct why *why)
{
    (void)bytes;
    (void)why;
    return ERR_OK;
}
#else
static size_t inherited; /* bytes of the heap; 0: nobody has asked */

void
limits_weigh(void)
{
    const struct mallinfo2 heap = mallinfo2();
    size_t now = heap.arena + heap.hblkhd;

    if (inherited != now) /* a page that is written is copied */
        inherited = now;
}

static enum err
fix_memory(rlim_t bytes, struct why *why)
{
    enum err err = fix(RLIMIT_STACK, STACK_MAX, "stack", why);

    if (inherited == 0)
        limits_weigh();
    return err == ERR_OK ? fix(RLIMIT_DATA, inherited + bytes, "memory", why)
                         : err;
}
#endif

/* fix_files - the hard limit too; *have: what there is then */
static enum err
fix_files(unsigned long most, rlim_t *have, struct why *why)
{
    struct rlimit limit;
    enum err err;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return why_errno(why, ERR_SYS, "getrlimit open files");
    err =
        fix(RLIMIT_NOFILE, most > 0 ? most : limit.rlim_cur, "open files", why);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return why_errno(why, ERR_SYS, "getrlimit open files");
    *have = limit.rlim_cur;
    return err;
}

static enum err
lower(const struct limits_bound *bound, struct why *why)
{
    rlim_t files = 0;
    enum err err = fix(RLIMIT_CORE, 0, "core", why);

    if (err == ERR_OK)
        err = fix_files(bound->descriptors, &files, why);
    if (err == ERR_OK)
        err = fix_memory(LIMITS_MEMORY + bound->memory + files * LIMITS_PER_FD,
                         why);
    if (err == ERR_OK)
        err = fix(RLIMIT_MEMLOCK, 0, "locked memory", why);
    if (err == ERR_OK && !bound->writes)
        err = fix(RLIMIT_FSIZE, 0, "file size", why);
    if (err == ERR_OK && !bound->forks)
        err = fix(RLIMIT_NPROC, 0, "processes", why);
    return err;
}

enum err
limits_bound(const struct limits_bound *bound, struct why *why)
{
    limits_weigh();
    return lower(bound, why);
}

enum err
limits_child(unsigned long descriptors, bool writes, struct why *why)
{
    const struct limits_bound bound = { .descriptors = descriptors,
                                        .writes = writes };

    return lower(&bound, why);
}

/* fix_program - soft and hard at most value */
static int
fix_program(unsigned resource, rlim_t value)
{
    struct rlimit limit;

    if (value == 0)
        return 0;
    if (getrlimit(resource, &limit) != 0)
        return -1;
    if (limit.rlim_max > value)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

int
limits_program_set(const struct limits_program *limits)
{
    const struct {
        unsigned resource;
        unsigned long value;
    } rows[] = {
        { RLIMIT_NOFILE, limits->files },
        { RLIMIT_AS, limits->memory },
        { RLIMIT_NPROC, limits->processes },
        { RLIMIT_CPU, limits->cpu },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (fix_program(rows[i].resource, rows[i].value) != 0)
            return -1;
    return 0;
}
