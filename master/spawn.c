/*
 * spawn.c - fork workers
 *
 * Owns the passage from the trusted to the exposed side: which descriptors a
 * worker keeps, the jail, the last capability, the views of shared memory. The
 * only file that includes worker/worker.h. Policy is pool.c's.
 */
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/mem.h"
#include "master/crew.h"
#include "master/filters.h"
#include "master/generation.h"
#include "master/keeper.h"
#include "master/limits.h"
#include "master/master.h"
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPAWN_FAILED_MS 1000 /* after fork(2) or a pair failed */
#define SHARED          3    /* leash, report, log */

/* links - a new worker's private pairs: [0] worker's end, [1] the other's */
struct links {
    int keeper[2];
    int connector[2];
};

static void
links_close(struct links *links, int end)
{
    fdio_close(&links->keeper[end]);
    fdio_close(&links->connector[end]);
}

/* needs_connector - does any upstream have to be connected to? */
static bool
needs_connector(const struct conf_service *service)
{
    size_t i, j;

    for (i = 0; i < service->route_count; i++)
        for (j = 0; j < service->route[i].upstream.count; j++)
            if (service->route[i].upstream.item[j].kind != ADDR_RESPOND)
                return true;
    return false;
}

/* needs_keeper - does the service have a key? */
static bool
needs_keeper(const struct conf_service *service)
{
    size_t i;

    if (service->client.key.count > 0)
        return true;
    for (i = 0; i < service->route_count; i++)
        if (service->route[i].side.key.count > 0)
            return true;
    return false;
}

/* links_make - introduce the worker to a keeper and to the connector; they
 * learn from the pair whom they serve, before the worker exists */
static enum err
links_make(struct master *master, const struct pool *pool, struct links *links,
           struct why *why)
{
    const struct conf_service *service =
        &master->gen->conf->service[pool->service];
    uint16_t index = (uint16_t)pool->service;
    enum err err = ERR_OK;

    if (needs_keeper(service)) {
        err = fdio_pair(links->keeper, why);
        if (err == ERR_OK)
            err = keepers_register(master->gen->keepers, index,
                                   links->keeper[1], why);
    }
    if (err == ERR_OK && needs_connector(service)) {
        err = fdio_pair(links->connector, why);
        if (err == ERR_OK)
            err = connector_worker(&master->connector, master->gen->number,
                                   index, links->connector[1], why);
    }
    return err;
}

/* die - a child that could not be confined must not go on */
static _Noreturn void
die(const char *what, const struct why *why)
{
    struct log_line line;

    log_begin(&line, LOG_L_ERROR, "confine_failed");
    log_text(&line, "process", "worker");
    log_text(&line, "step", what);
    log_text(&line, "reason", why->text);
    log_send(&line);
    _exit(EXIT_CONFINE);
}

/* keep_only - close every descriptor that the brief does not name */
static void
keep_only(const struct worker_brief *brief, const struct master *master)
{
    size_t count = 0, room = brief->listen_count + 7;
    int *keep = mem_new(room * sizeof(*keep));

    memcpy(keep, brief->listen_fd, brief->listen_count * sizeof(*keep));
    count = brief->listen_count;
    keep[count++] = brief->leash_fd;
    keep[count++] = brief->report_fd;
    keep[count++] = brief->keeper_fd;
    keep[count++] = brief->connector_fd;
    keep[count++] = master->jail.fd;
    keep[count++] = bans_fd(master->bans);
    keep[count++] = log_fd();
    fdio_close_except(keep, count);
    free(keep);
}

/* place - what siblings share above, what is its own below (filters.h) */
static enum err
place(struct worker_brief *brief, const struct pool *pool, struct why *why)
{
    int *own[] = { &brief->keeper_fd, &brief->connector_fd };
    int log = log_fd();
    int *shared[SHARED] = { &brief->leash_fd, &brief->report_fd, &log };
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < SHARED; i++)
        if (*shared[i] >= 0 && *shared[i] < FILTERS_SHARED_FD)
            err = fdio_move(shared[i], FILTERS_SHARED_FD, why);
    for (i = 0; err == ERR_OK && i < pool->listen_count; i++)
        if (pool->listen_fd[i] < FILTERS_SHARED_FD)
            err = fdio_move(&pool->listen_fd[i], FILTERS_SHARED_FD, why);
    for (i = 0; err == ERR_OK && i < sizeof(own) / sizeof(own[0]); i++)
        if (*own[i] >= FILTERS_SHARED_FD)
            err = fdio_move(own[i], STDERR_FILENO + 1, why);
    log_open(log, log_level());
    return err;
}

/* child - from a copy of the master to a worker */
static _Noreturn void
child(struct master *master, const struct pool *pool,
      struct worker_brief *brief, int slot)
{
    struct why why;

    keep_only(brief, master);
    if (jail_enter(&master->jail, &why) != ERR_OK)
        die("jail", &why);
    if (board_keep_only(master->board, slot, &why) != ERR_OK)
        die("scoreboard", &why);
    if (bans_read_only(master->bans, &why) != ERR_OK)
        die("bans", &why);
    if (place(brief, pool, &why) != ERR_OK)
        die("descriptors", &why);
    if (limits_child(FILTERS_SHARED_FD + SHARED + brief->listen_count, &why) !=
        ERR_OK)
        die("limits", &why);
    worker_main(brief);
}

static struct worker_brief
brief_for(struct master *master, struct pool *pool, const struct links *links,
          int slot)
{
    const struct generation *gen = master->gen;
    struct worker_brief brief = {
        .service = &gen->conf->service[pool->service],
        .generation = gen->number,
        .client = gen->sides[pool->service].client,
        .upstream = gen->sides[pool->service].upstream,
        .listen_fd = pool->listen_fd,
        .listen_count = pool->listen_count,
        .leash_fd = pool->leash[0],
        .report_fd = pool->report[1],
        .keeper_fd = links->keeper[0],
        .connector_fd = links->connector[0],
        .slot = board_slot(master->board, slot),
        .bans = master->bans,
        .filter = filters_get(FILTERS_WORKER),
    };

    return brief;
}

/* enlist - the parent's side of a fork that worked */
static void
enlist(struct master *master, struct pool *pool, pid_t pid, int slot)
{
    struct crew_member *member = crew_add(master->crew, pid);

    member->generation = master->gen->number;
    member->pool = (size_t)(pool - master->pool);
    member->slot = slot;
    member->state = CREW_STARTING;
    pool->alive++;
}

enum err
spawn_worker(struct master *master, struct pool *pool, struct why *why)
{
    struct links links = { { -1, -1 }, { -1, -1 } };
    int slot = board_take(master->board);
    struct worker_brief brief;
    enum err err;
    pid_t pid;

    if (slot < 0)
        return why_set(why, ERR_SYS, "the scoreboard is full");
    err = links_make(master, pool, &links, why);
    links_close(&links, 1);
    if (err == ERR_OK) {
        brief = brief_for(master, pool, &links, slot);
        if ((pid = fork()) == 0)
            child(master, pool, &brief, slot);
        if (pid > 0)
            enlist(master, pool, pid, slot);
        else
            err = why_errno(why, ERR_SYS, "fork");
    }
    links_close(&links, 0);
    if (err != ERR_OK)
        board_give(master->board, slot);
    return err;
}

/* fill - one pool */
static int64_t
fill(struct master *master, struct pool *pool, int64_t now)
{
    struct pool_count count = { .alive = pool->alive };
    struct pool_plan plan;
    struct log_line line;
    struct why why;
    enum err err;

    count.want = master->gen->conf->service[pool->service].workers;
    plan = pool_decide(&count, &pool->throttle, now);
    for (; plan.spawn > 0; plan.spawn--) {
        if ((err = spawn_worker(master, pool, &why)) == ERR_OK)
            continue;
        pool_hold(&pool->throttle, now, SPAWN_FAILED_MS);
        if (err == ERR_EOF) /* keeper_lost or connector_lost says it */
            return pool->throttle.until;
        log_begin(&line, LOG_L_ERROR, "spawn_failed");
        log_text(&line, "service", pool->name);
        log_text(&line, "reason", why.text);
        log_send(&line);
        return pool->throttle.until;
    }
    return plan.again_ms != 0 ? plan.again_ms : CLOCK_NEVER;
}

int64_t
spawn_fill(struct master *master, int64_t now)
{
    int64_t next = CLOCK_NEVER, again;
    size_t i;

    if (master->phase != MASTER_RUN)
        return next;
    for (i = 0; i < master->pool_count; i++) {
        if (master->pool[i].service < 0)
            continue;
        again = fill(master, &master->pool[i], now);
        if (again < next)
            next = again;
    }
    return next;
}
