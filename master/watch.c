/*
 * watch.c - has one of the configured files changed?
 *
 * Owns what stat(2) and readlink(2) said of the configured paths at the last
 * looks. Polling, not inotify: a watch on a path misses links that are switched
 * in a directory above it, and one on each of these directories is more to get
 * wrong than a thousand stats a second cost.
 * Must never open a file, log, or decide what a change means.
 */
#include "master/watch.h"
#include "common/mem.h"
#include "master/drop.h"
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 10 /* looks; who never stops writing holds up nobody else */

struct sight { /* of one path; all zero but error when it cannot be seen */
    int error;
    dev_t dev; /* of what it leads to */
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
    uint64_t link; /* hash of where the link itself points, 0: it is none */
};

struct spot {
    char *path;
    struct sight seen; /* what was reported, or found at first */
    struct sight last; /* the last look */
    bool still;        /* it was the same as the one before */
};

struct watch {
    size_t count;
    struct spot *spot;
    unsigned restless; /* looks in a row at which something moved */
};

/* hash - FNV-1a; never 0 */
static uint64_t
hash(const char *text, size_t len)
{
    uint64_t sum = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)text[i]) * 0x100000001b3u;
    return sum == 0 ? 1 : sum;
}

static void
look_at(const char *path, struct sight *out)
{
    char target[PATH_MAX];
    struct stat st;
    ssize_t len;

    memset(out, 0, sizeof(*out));
    if ((len = readlink(path, target, sizeof(target))) > 0)
        out->link = hash(target, (size_t)len);
    if (stat(path, &st) != 0) {
        out->error = errno;
        return;
    }
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    out->size = st.st_size;
    out->mtime = st.st_mtim;
    out->ctime = st.st_ctim;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same(const struct sight *a, const struct sight *b)
{
    return a->error == b->error && a->dev == b->dev && a->ino == b->ino &&
           a->size == b->size && a->link == b->link &&
           same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}

/* see, unsee - directories may be searched that the plain ids may not; a look
 * without that power is a look all the same. Root before the drop has it, and
 * drop_caps_use would take its other ones away. */
static bool
see(void)
{
    return geteuid() != 0 && drop_has(DROP_CAP_READ) &&
           drop_caps_use(DROP_CAP_READ, NULL) == ERR_OK;
}

static void
unsee(bool with_power)
{
    /* giving up what is effective cannot fail; if it did, nothing would be as
     * the rest of the program believes */
    if (with_power && drop_caps_use(0, NULL) != ERR_OK)
        abort();
}

struct watch *
watch_new(const char *const *path, size_t count)
{
    struct watch *watch = mem_new(sizeof(*watch));
    bool power = see();

    watch->spot = mem_new((count > 0 ? count : 1) * sizeof(*watch->spot));
    for (size_t i = 0; i < count; i++) {
        struct spot *spot = &watch->spot[watch->count];

        if (path[i] == NULL)
            continue;
        spot->path = mem_copy(path[i]);
        look_at(spot->path, &spot->seen);
        spot->last = spot->seen;
        watch->count++;
    }
    unsee(power);
    return watch;
}

/* look - at all paths. True: nothing moved since the last look, or something
 * has moved for so long that the others need not wait for it. */
static bool
look(struct watch *watch)
{
    bool power = see(), still = true;

    for (size_t i = 0; i < watch->count; i++) {
        struct spot *spot = &watch->spot[i];
        struct sight now;

        look_at(spot->path, &now);
        spot->still = same(&now, &spot->last);
        still = still && spot->still;
        spot->last = now;
    }
    unsee(power);
    watch->restless = still ? 0 : watch->restless + 1;
    return still || watch->restless >= PATIENCE;
}

bool
watch_changed(struct watch *watch, const char **path)
{
    bool changed = false;

    if (!look(watch))
        return false;
    for (size_t i = 0; i < watch->count; i++) {
        struct spot *spot = &watch->spot[i];

        if (!spot->still || same(&spot->last, &spot->seen))
            continue;
        if (!changed && path != NULL)
            *path = spot->path;
        changed = true;
        spot->seen = spot->last;
    }
    return changed;
}

void
watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->count; i++)
        free(watch->spot[i].path);
    free(watch->spot);
    free(watch);
}
