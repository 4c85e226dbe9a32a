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
#include "common/report.h"
#include "master/confinement.h"
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
#include <sys/socket.h>
#include <unistd.h>

#define SPAWN_FAILED_MS 1000 /* after fork(2) or a pair failed */
#define SHARED          3    /* leash, report, log */

/* batch - workers that are forked one after the other, and introduced together:
 * a packet to each helper carries the pairs of all */
struct batch {
    struct master *master;
    struct pool *pool;
    size_t count;
    int keeper[POOL_BATCH_MAX]; /* workers' ends; -1: none needed */
    int connector[POOL_BATCH_MAX];
    int runner[POOL_BATCH_MAX];
};

static void
close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fdio_close(&fds[i]);
}

/* dialled - is it connected to? */
static bool
dialled(const struct addr *addr)
{
    return addr->kind != ADDR_RESPOND && addr->kind != ADDR_EXEC;
}

/* needs_connector - does any upstream have to be connected to? */
static bool
needs_connector(const struct conf_service *service)
{
    size_t i, j;

    for (i = 0; i < service->route_count; i++)
        for (j = 0; j < service->route[i].upstream.count; j++)
            if (dialled(&service->route[i].upstream.item[j]))
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

/* pairs_make - as many as the batch has workers; on an error none is left */
static enum err
pairs_make(size_t count, int *ours, int *theirs, struct why *why)
{
    enum err err = ERR_OK;
    size_t made = 0;
    int pair[2];

    while (made < count && (err = fdio_pair(pair, why)) == ERR_OK) {
        ours[made] = pair[0];
        theirs[made++] = pair[1];
    }
    if (err != ERR_OK) {
        close_all(ours, made);
        close_all(theirs, made);
    }
    return err;
}

static enum err
meet_keepers(struct batch *batch, struct why *why)
{
    int theirs[POOL_BATCH_MAX], one = 1;
    enum err err = pairs_make(batch->count, batch->keeper, theirs, why);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < batch->count;
         i++) /* it is to name whom it refuses */
        (void)setsockopt(theirs[i], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
    err = keepers_register(batch->master->gen->keepers,
                           (uint16_t)batch->pool->service, theirs, batch->count,
                           why);
    close_all(theirs, batch->count);
    return err;
}

static enum err
meet_connector(struct batch *batch, struct why *why)
{
    int theirs[POOL_BATCH_MAX];
    enum err err = pairs_make(batch->count, batch->connector, theirs, why);

    if (err != ERR_OK)
        return err;
    err = connector_workers(
        &batch->master->connector, batch->master->gen->number,
        (uint16_t)batch->pool->service, theirs, batch->count, why);
    close_all(theirs, batch->count);
    return err;
}

static enum err
meet_runner(struct batch *batch, struct why *why)
{
    const struct master *master = batch->master;
    int theirs[POOL_BATCH_MAX];
    enum err err = pairs_make(batch->count, batch->runner, theirs, why);

    if (err != ERR_OK)
        return err;
    err = runner_workers(&master->runner[batch->pool->runner],
                         master->gen->number, (uint16_t)batch->pool->service,
                         theirs, batch->count, why);
    close_all(theirs, batch->count);
    return err;
}

/* meet - introduce the workers to keepers, connector, runner; they learn from the
 * pair whom they serve, before the worker exists */
static enum err
meet(struct batch *batch, struct why *why)
{
    const struct conf_service *service =
        &batch->master->gen->conf->service[batch->pool->service];
    enum err err = ERR_OK;

    for (size_t i = 0; i < batch->count; i++)
        batch->keeper[i] = batch->connector[i] = batch->runner[i] = -1;
    if (needs_keeper(service))
        err = meet_keepers(batch, why);
    if (err == ERR_OK && needs_connector(service))
        err = meet_connector(batch, why);
    if (err == ERR_OK && conf_command(service) != NULL)
        err = meet_runner(batch, why);
    return err;
}

/* keep_only - close every descriptor that the brief does not name. A list on
 * the stack, as a rule: malloc(3) would write pages that stay with the worker. */
static void
keep_only(const struct worker_brief *brief, const struct master *master)
{
    int few[64];
    size_t count = 0, room = brief->listen_count + 10;
    int *keep = room <= sizeof(few) / sizeof(*few)
                    ? few
                    : mem_new(room * sizeof(*keep));

    for (; count < brief->listen_count; count++)
        keep[count] = brief->listen_fd[count];
    keep[count++] = brief->leash_fd;
    keep[count++] = brief->report_fd;
    keep[count++] = brief->keeper_fd;
    keep[count++] = brief->connector_fd;
    keep[count++] = brief->runner_fd;
    keep[count++] = brief->client_in;
    keep[count++] = brief->client_out;
    keep[count++] = master->jail.fd;
    keep[count++] = board_fd(master->board);
    keep[count++] = log_fd();
    fdio_close_except(keep, count);
    if (keep != few)
        free(keep);
}

/* place - what siblings share above, what is its own below (filters.h) */
static enum err
place(struct worker_brief *brief, int *listen_fd, enum log_level level,
      struct why *why)
{
    int *own[] = { &brief->keeper_fd, &brief->connector_fd, &brief->runner_fd,
                   &brief->client_in, &brief->client_out };
    int log = log_fd();
    int *shared[SHARED] = { &brief->leash_fd, &brief->report_fd, &log };
    size_t i, count = sizeof(own) / sizeof(own[0]);
    bool both = brief->client_in == brief->client_out; /* one, both ways */
    enum err err = ERR_OK;

    count -= both;
    for (i = 0; err == ERR_OK && i < SHARED; i++)
        if (*shared[i] >= 0 && *shared[i] < FILTERS_SHARED_FD)
            err = fdio_move(shared[i], FILTERS_SHARED_FD, why);
    for (i = 0; err == ERR_OK && i < brief->listen_count; i++)
        if (listen_fd[i] < FILTERS_SHARED_FD)
            err = fdio_move(&listen_fd[i], FILTERS_SHARED_FD, why);
    for (i = 0; err == ERR_OK && i < count; i++)
        if (*own[i] >= FILTERS_SHARED_FD)
            err = fdio_move(own[i], STDERR_FILENO + 1, why);
    if (both)
        brief->client_out = brief->client_in;
    if (log != log_fd() || level != log_level())
        log_open(log, level);
    return err;
}

/* child - from a copy of the master to a worker */
static _Noreturn void
child(struct master *master, struct worker_brief *brief, int *listen_fd,
      int slot)
{
    bool writes = brief->client_out != brief->client_in; /* -c: to a file? */
    enum log_level level;
    struct why why;

    keep_only(brief, master);
    if (jail_enter(&master->jail, &why) != ERR_OK)
        confinement_failed("worker", "jail", &why);
    if (board_keep_only(master->board, slot, &brief->slot, &why) != ERR_OK)
        confinement_failed("worker", "scoreboard", &why);
    level = (enum log_level)master->gen->conf->global.log_level;
    if (place(brief, listen_fd, level, &why) != ERR_OK)
        confinement_failed("worker", "descriptors", &why);
    if (limits_child(FILTERS_SHARED_FD + SHARED + brief->listen_count, writes,
                     &why) != ERR_OK)
        confinement_failed("worker", "limits", &why);
    worker_main(brief);
}

/* brief_for - the i-th of a batch */
static struct worker_brief
brief_for(const struct batch *batch, size_t i, int slot)
{
    const struct generation *gen = batch->master->gen;
    const struct pool *pool = batch->pool;
    struct worker_brief brief = {
        .service = &gen->conf->service[pool->service],
        .generation = gen->number,
        .client = gen->sides[pool->service].client,
        .upstream = gen->sides[pool->service].upstream,
        .listen_fd = pool->listen_fd,
        .listen_count = pool->listen_count,
        .leash_fd = pool->leash[0],
        .report_fd = pool->report[1],
        .keeper_fd = batch->keeper[i],
        .connector_fd = batch->connector[i],
        .runner_fd = batch->runner[i],
        .client_in = batch->master->inetd.in,
        .client_out = batch->master->inetd.out,
        .client_sa = batch->master->inetd.sa,
        .client_len = batch->master->inetd.sa_len,
        .slot = board_slot(batch->master->board, slot),
        .bans = batch->master->bans,
        .pool = (unsigned)(pool - batch->master->pool),
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
    bucket_fill(&member->reports, REPORTS_BURST, clock_ms());
    pool->alive++;
    pool->starting++;
}

/* fork_one - the i-th of a batch */
static enum err
fork_one(struct batch *batch, size_t i, struct why *why)
{
    struct master *master = batch->master;
    int slot = board_take(master->board), *listen_fd;
    struct worker_brief brief;
    pid_t pid;

    if (slot < 0)
        return why_set(why, ERR_SYS, "the scoreboard is full");
    brief = brief_for(batch, i, slot);
    listen_fd = batch->pool->listen_fd;
    /* not fork(2)'s library half, which writes to pages of its own */
    if ((pid = _Fork()) == 0)
        child(master, &brief, listen_fd, slot);
    if (pid > 0) {
        enlist(master, batch->pool, pid, slot);
        return ERR_OK;
    }
    why_errno(why, ERR_SYS, "fork");
    board_give(master->board, slot);
    return ERR_SYS;
}

/* fork_batch - pairs of workers that never came to be just close */
static enum err
fork_batch(struct batch *batch, struct why *why)
{
    enum err err = meet(batch, why);

    limits_weigh();
    for (size_t i = 0; i < batch->count; i++) {
        if (err == ERR_OK)
            err = fork_one(batch, i, why);
        fdio_close(&batch->keeper[i]);
        fdio_close(&batch->connector[i]);
        fdio_close(&batch->runner[i]);
    }
    return err;
}

/* failed - nothing was forked, or not all; wait before it is tried again */
static int64_t
failed(struct pool *pool, enum err err, const struct why *why, int64_t now)
{
    struct log_line line;

    pool_hold(&pool->throttle, now, SPAWN_FAILED_MS);
    if (err != ERR_EOF) { /* else keeper_lost or its like says it */
        log_begin(&line, LOG_L_ERROR, "spawn_failed");
        log_text(&line, "service", pool->name);
        log_text(&line, "reason", why->text);
        log_send(&line);
    }
    return pool->throttle.until;
}

long
spawn_retire(int leash, long count)
{
    static const char bytes[4096];
    long written = 0;
    ssize_t n = 1;

    while (leash >= 0 && n > 0 && written < count) {
        size_t left = (size_t)(count - written);

        n = write(leash, bytes, left < sizeof(bytes) ? left : sizeof(bytes));
        if (n > 0)
            written += n;
    }
    return written;
}

/* retire - let idle workers go */
static void
retire(struct pool *pool, long count)
{
    struct log_line line;

    log_begin(&line, LOG_L_DEBUG, "retire");
    log_text(&line, "service", pool->name);
    log_int(&line, "workers", pool->alive);
    log_int(&line, "idle", pool->idle);
    log_int(&line, "count", count);
    log_send(&line);
    /* one by one: each write wakes one worker */
    for (; count > 0; count--)
        pool->asked += spawn_retire(pool->leash[1], 1);
}

static struct pool_count
count_up(const struct master *master, const struct pool *pool)
{
    const struct conf_service *service =
        &master->gen->conf->service[pool->service];
    struct pool_count count = {
        .min = service->workers_min,
        .max = service->workers_max,
        .spare = service->workers_spare,
        .room = (long)master->crew_max - (long)crew_count(master->crew),
        .alive = pool->alive,
        .starting = pool->starting,
        .idle = pool->idle - pool->asked,
        .leaving = pool->leaving + pool->asked,
    };

    if (pool->idle == 0 && pool->alive < count.max)
        count.waiting = reports_waiting(pool);
    return count;
}

void
spawn_prepare(const struct generation *gen)
{
    for (size_t i = 0; i < gen->conf->service_count; i++) {
        const struct worker_brief brief = {
            .service = &gen->conf->service[i],
            .client = gen->sides[i].client,
            .upstream = gen->sides[i].upstream,
        };

        worker_install(&brief);
    }
}

/* fill - one pool */
static int64_t
fill(struct master *master, struct pool *pool, int64_t now)
{
    struct pool_count count = count_up(master, pool);
    struct pool_plan plan =
        pool_decide(&count, &pool->throttle, &pool->pace, now);
    struct batch batch = { .master = master,
                           .pool = pool,
                           .count = (size_t)plan.spawn };
    struct why why;
    enum err err;

    if (plan.retire > 0)
        retire(pool, plan.retire);
    if (plan.spawn > 0 && (err = fork_batch(&batch, &why)) != ERR_OK)
        return failed(pool, err, &why, now);
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
