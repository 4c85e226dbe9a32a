/*
 * renew.c - reload by itself when a configured file has changed
 *
 * Owns the look of once a second and the list of what is looked at, and the
 * warnings when nothing changes for too long. The reload that follows is the
 * same as a SIGHUP's, but for the log, which stays open.
 */
#include "common/clock.h"
#include "common/conf_files.h"
#include "common/log.h"
#include "common/mem.h"
#include "master/expiry.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/watch.h"
#include <stdlib.h>
#include <time.h>

#define LOOK_EVERY_MS   1000
#define EXPIRY_FIRST_MS 600000

/* for conf_files_each: the paths, one behind the other */
struct paths {
    size_t count;
    const char **item;
};

static int
count_path(void *ctx, const char *path)
{
    struct paths *paths = ctx;

    (void)path;
    paths->count++;
    return 0;
}

static int
add_path(void *ctx, const char *path)
{
    struct paths *paths = ctx;

    paths->item[paths->count++] = path;
    return 0;
}

struct watch *
renew_watch(const struct conf *conf)
{
    struct paths paths = { 0, NULL };
    struct watch *watch;

    if (!conf->global.watch)
        return NULL;
    (void)conf_files_each(conf, count_path, &paths);
    paths.item = mem_new((paths.count + 1) * sizeof(*paths.item));
    paths.count = 0;
    (void)conf_files_each(conf, add_path, &paths);
    watch = watch_new(paths.item, paths.count);
    free(paths.item);
    return watch;
}

void
renew_use(struct master *master, struct watch *watch)
{
    if (master->watch != NULL)
        watch_free(master->watch);
    master->watch = watch;
    master->expiry_at = clock_deadline(EXPIRY_FIRST_MS); /* reading warned */
    master->look_at = clock_deadline(LOOK_EVERY_MS);
}

static void
tell_expiry(void *ctx, const char *service, const char *text)
{
    struct log_line line;

    (void)ctx;
    log_begin(&line, LOG_L_WARN, "certificate");
    log_text(&line, "service", service);
    log_text(&line, "reason", text);
    log_send(&line);
}

int64_t
renew_expiry(struct master *master, int64_t now)
{
    time_t wall = time(NULL), next;

    if (master->phase != MASTER_RUN)
        return CLOCK_NEVER;
    if (now >= master->expiry_at) {
        next = expiry_look(master->gen, wall, tell_expiry, NULL);
        master->expiry_at = now + 1000 * (int64_t)(next - wall);
    }
    return master->expiry_at;
}

int64_t
renew_due(struct master *master, int64_t now)
{
    struct log_line line;
    const char *path;

    if (master->watch == NULL || master->phase != MASTER_RUN)
        return CLOCK_NEVER;
    if (now < master->look_at)
        return master->look_at;
    master->look_at = now + LOOK_EVERY_MS;
    if (watch_changed(master->watch, &path)) {
        log_begin(&line, LOG_L_NOTICE, "changed");
        log_text(&line, "file", path);
        log_send(&line);
        reload_again(master);
    }
    return master->watch != NULL ? master->look_at : CLOCK_NEVER;
}
