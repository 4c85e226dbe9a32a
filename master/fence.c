/*
 * fence.c - the directories that the running master may still read
 *
 * Owns the list, and the following of symbolic links that finds it.
 * Must never take in a directory as wide as /etc because one file lies there:
 * behind this fence the master may hold CAP_DAC_READ_SEARCH.
 */
#include "master/fence.h"
#include "common/conf_files.h"
#include "common/landlock.h"
#include "common/mem.h"
#include "common/text.h"
#include "master/drop.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as many as the kernel follows, path_resolution(7) */
#define NEST_MAX  8  /* links to directories within links' targets */

struct fence {
    size_t count;
    char **dir; /* absolute, without links */
};

/* too wide to be a fence */
static const char *const wide[] = {
    "/",     "/etc",  "/usr", "/usr/lib", "/usr/share", "/var",  "/var/lib",
    "/home", "/root", "/run", "/tmp",     "/var/tmp",   "/proc", "/sys",
    "/dev",  "/boot", "/lib", "/lib64",   "/bin",       "/sbin",
};

static bool
is_wide(const char *dir)
{
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (strcmp(wide[i], dir) == 0)
            return true;
    return false;
}

static void
add(struct fence *fence, const char *dir)
{
    for (size_t i = 0; i < fence->count; i++)
        if (strcmp(fence->dir[i], dir) == 0)
            return;
    fence->dir = mem_array(fence->dir, fence->count + 1, sizeof(*fence->dir));
    fence->dir[fence->count++] = mem_copy(dir);
}

/* cut_name - make an absolute path its parent's */
static void
cut_name(char *path)
{
    char *slash = strrchr(path, '/');

    slash[slash == path ? 1 : 0] = '\0';
}

/* join - where a link in the directory dir points to; false: too long */
static bool
join(const char *dir, const char *target, char out[PATH_MAX])
{
    int len = target[0] == '/' ? snprintf(out, PATH_MAX, "%s", target)
                               : snprintf(out, PATH_MAX, "%s/%s", dir, target);

    return len > 0 && len < PATH_MAX;
}

/* link_text - readlink with its NUL; false: not a link, or not there */
static bool
link_text(const char *path, char out[PATH_MAX])
{
    ssize_t len = readlink(path, out, PATH_MAX - 1);

    if (len <= 0)
        return false;
    out[len] = '\0';
    return true;
}

/*
 * add_beside - for every directory of `dir` that is reached through a link, the
 * directory in which its target lies: renewers switch such a link to a sibling
 * (Kubernetes: ..data -> ..2026_11_21). A wide one is left out: /var/run is a
 * link to /run and asks for nothing.
 */
static void
/* NOLINTNEXTLINE(misc-no-recursion): nest bounds it */
add_beside(struct fence *fence, const char *dir, int nest)
{
    char prefix[PATH_MAX], target[PATH_MAX], real[PATH_MAX];

    for (const char *end = dir; *end != '\0' && nest > 0;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - dir), dir);
        if (!link_text(prefix, target) || realpath(prefix, real) == NULL)
            continue;
        cut_name(real);
        if (!is_wide(real))
            add(fence, real);
        cut_name(prefix);
        if (join(prefix, target, real))
            add_beside(fence, real, nest - 1);
    }
}

/* nearest - the real path of a directory, or of the closest one above it that
 * is there; true: it is there itself */
static bool
nearest(char *dir, char real[PATH_MAX])
{
    bool here = true;

    while (realpath(dir, real) == NULL) {
        if (strcmp(dir, "/") == 0) {
            text_copy(real, "/", PATH_MAX);
            return false;
        }
        cut_name(dir);
        here = false;
    }
    return here;
}

/* split - a path as its directory and its last name; both hold PATH_MAX */
static void
split(const char *path, char *dir, char *name)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    memcpy(dir, path, len);
    dir[len] = '\0';
    text_copy(name, strrchr(dir, '/') + 1, PATH_MAX);
    cut_name(dir);
}

/*
 * stage - one step along the links of a file
 * path  in: where to look; out: where the link there points to.
 * real  out: the directory that the name stands in, without links.
 * fence when not NULL: takes the directory's neighbours (add_beside).
 * ERR_OK: a link, go on. ERR_EOF: this was the file, or nothing is there.
 */
static enum err
stage(char path[PATH_MAX], char real[PATH_MAX], struct fence *fence,
      struct why *why)
{
    char dir[PATH_MAX], name[PATH_MAX], at[PATH_MAX], target[PATH_MAX];

    split(path, dir, name);
    if (fence != NULL)
        add_beside(fence, dir, NEST_MAX);
    if (!nearest(dir, real) || !join(real, name, at) || !link_text(at, target))
        return ERR_EOF;
    if (!join(real, target, path))
        return why_set(why, ERR_CONF, "%s is too long", target);
    return ERR_OK;
}

static enum err
start(const char *path, char at[PATH_MAX], struct why *why)
{
    if (path[0] != '/')
        return why_set(why, ERR_CONF, "%s is not an absolute path", path);
    if (text_copy(at, path, PATH_MAX) >= PATH_MAX)
        return why_set(why, ERR_CONF, "%s is too long", path);
    return ERR_OK;
}

static enum err
too_wide(const char *file, const char *dir, struct why *why)
{
    return why_set(why, ERR_CONF,
                   "%s is in %s, which is too wide to stay readable: give it a "
                   "directory of its own",
                   file, dir);
}

/* add_file - every directory on the way of one file; NULL, or one that is not
 * there, adds nothing: who needs it says so */
static enum err
add_file(struct fence *fence, const char *file, struct why *why)
{
    char at[PATH_MAX], real[PATH_MAX];
    enum err err;

    if (file == NULL || access(file, F_OK) != 0)
        return ERR_OK;
    err = start(file, at, why);
    for (int links = 0; err == ERR_OK && links < LINKS_MAX; links++) {
        err = stage(at, real, fence, why);
        if (err != ERR_OK && err != ERR_EOF)
            return err;
        if (is_wide(real))
            return too_wide(file, real, why);
        add(fence, real);
    }
    return err == ERR_EOF ? ERR_OK : err;
}

static enum err
add_reader_dir(struct fence *fence, const char *dir, struct why *why)
{
    char real[PATH_MAX];

    if (realpath(dir, real) == NULL)
        return why_errno(why, ERR_CONF, "reader_dirs: %s", dir);
    if (is_wide(real))
        return why_set(why, ERR_CONF, "reader_dirs: %s is too wide", dir);
    add(fence, real);
    return ERR_OK;
}

/* for conf_files_each: where the files go, and the first error */
struct planning {
    struct fence *fence;
    struct why *why;
};

static int
plan_file(void *ctx, const char *path)
{
    struct planning *planning = ctx;

    return (int)add_file(planning->fence, path, planning->why);
}

static enum err
plan(struct fence *fence, const struct conf *conf, struct why *why)
{
    const struct conf_list *dirs = &conf->global.reader_dirs;
    struct planning planning = { fence, why };
    enum err err = (enum err)conf_files_each(conf, plan_file, &planning);

    for (size_t i = 0; i < dirs->count && err == ERR_OK; i++)
        err = add_reader_dir(fence, dirs->item[i], why);
    return err;
}

enum err
fence_plan(const struct conf *conf, struct fence **out, struct why *why)
{
    struct fence *fence = mem_new(sizeof(*fence));
    enum err err = plan(fence, conf, why);

    if (err != ERR_OK) {
        fence_free(fence);
        fence = NULL;
    }
    *out = fence;
    return err;
}

/* lift, lower - a dropped master needs its one capability to get through
 * directories that are root's alone; root itself has it in effect anyway */
static bool
lift(void)
{
    return geteuid() != 0 && drop_has(DROP_CAP_READ) &&
           drop_caps_use(DROP_CAP_READ, NULL) == ERR_OK;
}

static enum err
lower(bool lifted, enum err err, struct why *why)
{
    enum err end = lifted ? drop_caps_use(0, why) : ERR_OK;

    return end != ERR_OK ? end : err;
}

enum err
fence_enter(const struct fence *fence, struct why *why)
{
    /* no scope for signals: helpers that were forked before stay reachable */
    const struct landlock_extra extra = { .scope_abstract = 1, .no_tcp = 1 };
    struct landlock_dir *dirs = mem_new((fence->count + 1) * sizeof(*dirs));
    bool lifted = lift();
    enum err err;

    for (size_t i = 0; i < fence->count; i++) {
        dirs[i].path = fence->dir[i];
        dirs[i].rights = LANDLOCK_READ;
    }
    err = landlock_fence(dirs, fence->count, extra, why);
    free(dirs);
    return lower(lifted, err, why);
}

/* is_inside - the directory itself, or one below it */
static bool
is_inside(const struct fence *fence, const char *dir)
{
    for (size_t i = 0; i < fence->count; i++) {
        size_t len = strlen(fence->dir[i]);

        if (strncmp(dir, fence->dir[i], len) == 0 &&
            (dir[len] == '\0' || dir[len] == '/'))
            return true;
    }
    return false;
}

/* last_dir - the directory where the file is in the end, or would be */
static enum err
last_dir(const char *path, char real[PATH_MAX], struct why *why)
{
    char at[PATH_MAX];
    enum err err = start(path, at, why);

    for (int links = 0; err == ERR_OK && links < LINKS_MAX; links++)
        err = stage(at, real, NULL, why);
    if (err == ERR_OK)
        return why_set(why, ERR_CONF, "%s: too many symbolic links", path);
    return err == ERR_EOF ? ERR_OK : err;
}

enum err
fence_holds(const struct fence *fence, const char *path, struct why *why)
{
    char real[PATH_MAX];
    bool lifted = lift();
    enum err err = lower(lifted, last_dir(path, real, why), why);

    if (err != ERR_OK)
        return err;
    if (!is_inside(fence, real))
        return why_set(why, ERR_CONF,
                       "%s is in %s, which is outside the directories that "
                       "were readable at start: restart",
                       path, real);
    return ERR_OK;
}

void
fence_free(struct fence *fence)
{
    if (fence == NULL)
        return;
    for (size_t i = 0; i < fence->count; i++)
        free(fence->dir[i]);
    free(fence->dir);
    free(fence);
}
