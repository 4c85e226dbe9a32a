/*
 * reports.c - what workers say about themselves
 *
 * Owns the reading of report.h and the states of the crew that follow from it.
 * The kernel names the sender; a report that does not fit the sender's state
 * ends the sender, and so does what a keeper says of it. Never sends anything to
 * a worker.
 */
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/report.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/listen.h"
#include "master/master.h"
#include "master/overstay.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define REPORTS_AT_ONCE 512   /* then others get their turn */
#define FULL_SETTLE_MS  100   /* a worker may become free meanwhile */
#define FULL_SAY_MS     10000 /* pool_full at most once in */

static bool
current(const struct master *master, const struct crew_member *member)
{
    return member->generation == master->gen->number;
}

void
reports_watch(struct master *master, struct pool *pool)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
    size_t i;

    if (pool->full_armed)
        return;
    pool->full_armed = true;
    event.data.u64 = LOOP_LISTENER(pool - master->pool);
    for (i = 0; i < pool->listen_count; i++)
        if (epoll_ctl(master->epoll_fd, EPOLL_CTL_MOD, pool->listen_fd[i],
                      &event) != 0)
            epoll_ctl(master->epoll_fd, EPOLL_CTL_ADD, pool->listen_fd[i],
                      &event);
}

static void
taken(struct master *master, struct pool *pool, struct crew_member *member,
      const struct report *report)
{
    reload_left(master, member);
    overstay_forget(member);
    member->state = CREW_BUSY;
    member->took = true;
    member->sessions++;
    member->judged = 0;
    member->family = report->family;
    member->port = report->port;
    memcpy(member->source, report->addr, sizeof(member->source));
    pool->taken++;
    admit_taken(master, member, clock_ms());
    if (!current(master, member))
        return;
    if (--pool->idle == 0)
        reports_watch(master, pool);
}

static void
idle(struct master *master, struct pool *pool, struct crew_member *member)
{
    bool starting = member->state == CREW_STARTING;

    member->state = CREW_IDLE;
    member->family = 0;
    memset(member->source, 0, sizeof(member->source));
    if (!current(master, member)) {
        reload_lingers(master, member);
        if (pool->old_leash < 0) /* else it still has a place */
            overstay_begin(master, member, clock_ms());
        return;
    }
    pool->starting -= starting;
    pool->idle++;
    reload_came_up(master, pool);
}

/* leaving - nobody counts on it any more: it has served its share, or was idle
 * and took a byte off the leash */
static void
leaving(struct master *master, struct pool *pool, struct crew_member *member)
{
    bool idle = member->state == CREW_IDLE;

    reload_left(master, member);
    overstay_begin(master, member, clock_ms());
    member->state = CREW_LEAVING;
    if (!current(master, member))
        return;
    pool->leaving++;
    if (!idle)
        return;
    pool->asked -= pool->asked > 0;
    if (--pool->idle == 0)
        reports_watch(master, pool);
}

/* over - its session has ended */
static void
over(struct master *master, struct pool *pool, struct crew_member *member,
     const struct report *report)
{
    admit_ended(master, member, (enum reason)report->reason, clock_ms());
    reap_over(master, member);
    if (report->kind == REPORT_LAST)
        leaving(master, pool, member);
    else
        idle(master, pool, member);
}

/* apply - one report; false: it does not fit */
static bool
apply(struct master *master, struct pool *pool, struct crew_member *member,
      const struct report *report)
{
    switch (report->kind) {
    case REPORT_IDLE:
        if (member->state != CREW_STARTING)
            return false;
        idle(master, pool, member);
        return true;
    case REPORT_TAKEN:
        if (member->state != CREW_IDLE)
            return false;
        taken(master, pool, member, report);
        return true;
    case REPORT_VERIFIED:
        if (member->state != CREW_BUSY)
            return false;
        member->state = CREW_VERIFIED;
        admit_verified(master, member, clock_ms());
        judging_verified(master, member);
        return true;
    case REPORT_ENDED:
    case REPORT_LAST:
        if (member->state != CREW_BUSY && member->state != CREW_VERIFIED)
            return false;
        over(master, pool, member, report);
        return true;
    case REPORT_LEAVING:
        if (member->state != CREW_IDLE)
            return false;
        leaving(master, pool, member);
        return true;
    case REPORT_REFUSED:
        if (member->state != CREW_IDLE)
            return false;
        member->took = true;
        member->sessions++;
        pool->taken++;
        admit_refused(master, pool, report, clock_ms());
        return true;
    default:
        return false;
    }
}

/*
 * shut - a worker has shut the pair down for all of its pool (shutdown(2) works
 * on what they share): a new pair, and new workers that use it
 */
static void
shut(struct master *master, struct pool *pool)
{
    struct log_line line;
    struct why why;

    log_begin(&line, LOG_L_ERROR, "reports_shut");
    log_text(&line, "service", pool->name);
    log_text(&line, "reason", "a worker shut its pool's reports down");
    log_send(&line);
    fdio_close(&pool->report[0]);
    fdio_close(&pool->report[1]);
    if (reports_open(master, pool, &why) != ERR_OK)
        log_simple(LOG_L_ERROR, "reports_shut", why.text);
    reload_lost(master, clock_ms());
}

void
reports_read(struct master *master, struct pool *pool)
{
    struct crew_member *member;
    struct report report;
    struct why why;
    enum err err;
    size_t len;
    pid_t sender;
    int i;

    for (i = 0; i < REPORTS_AT_ONCE; i++) {
        len = sizeof(report);
        err = fdio_recv(pool->report[0], &report, &len, NULL, &sender,
                        MSG_DONTWAIT, &why);
        if (err == ERR_EOF)
            shut(master, pool);
        if (err != ERR_OK && err != ERR_PEER)
            return;
        member = crew_find(master->crew, sender);
        if (member == NULL || &master->pool[member->pool] != pool ||
            member->condemned)
            continue; /* reaped meanwhile, or about to be */
        if (!bucket_take(&member->reports, REPORTS_RATE, REPORTS_BURST,
                         clock_ms()))
            reap_misfit(master, member, "too many reports");
        else if (err != ERR_OK || len != sizeof(report) ||
                 !apply(master, pool, member, &report))
            reap_misfit(master, member, "a report that does not fit");
    }
}

enum err
reports_open(struct master *master, struct pool *pool, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN };
    enum err err = fdio_pair(pool->report, why);
    int one = 1;

    if (err != ERR_OK)
        return err;
    event.data.u64 = LOOP_REPORT(pool - master->pool);
    if (setsockopt(pool->report[0], SOL_SOCKET, SO_PASSCRED, &one,
                   sizeof(one)) != 0 ||
        epoll_ctl(master->epoll_fd, EPOLL_CTL_ADD, pool->report[0], &event) !=
            0)
        return why_errno(why, ERR_SYS, "reports of %s", pool->name);
    return ERR_OK;
}

enum err
reports_charges_open(struct master *master, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN };
    enum err err = fdio_pair(master->charges, why);

    event.data.u64 = LOOP_CHARGES;
    if (err == ERR_OK && epoll_ctl(master->epoll_fd, EPOLL_CTL_ADD,
                                   master->charges[0], &event) != 0)
        err = why_errno(why, ERR_SYS, "keepers' charges");
    return err;
}

void
reports_charges(struct master *master)
{
    struct crew_member *member;
    size_t len = sizeof(pid_t);
    pid_t worker;

    for (int i = 0; i < REPORTS_AT_ONCE; i++) {
        if (fdio_recv(master->charges[0], &worker, &len, NULL, NULL,
                      MSG_DONTWAIT, NULL) != ERR_OK ||
            len != sizeof(worker))
            return;
        member = crew_find(master->crew, worker);
        if (member != NULL && !member->condemned)
            reap_misfit(master, member, "its keeper has refused it");
    }
}

void
reports_listener(struct pool *pool, int64_t now)
{
    pool->full_armed = false;
    if (pool->idle <= 0 && pool->full_due == 0)
        pool->full_due = now + FULL_SETTLE_MS;
}

/* say_full - somebody waits and nobody is free */
static void
say_full(struct pool *pool, unsigned waiting, int64_t now)
{
    struct log_line line;

    pool->full_said = now;
    log_begin(&line, LOG_L_WARN, "pool_full");
    log_text(&line, "service", pool->name);
    log_int(&line, "workers", pool->alive);
    if (pool->old > 0) /* they may be what fills it */
        log_int(&line, "retiring", pool->old);
    log_int(&line, "waiting", waiting);
    log_text(&line, "hint", "workers");
    log_send(&line);
}

unsigned
reports_waiting(const struct pool *pool)
{
    unsigned waiting = 0;
    size_t i;

    for (i = 0; i < pool->listen_count; i++)
        waiting += listen_waiting(pool->listen_fd[i]);
    return waiting;
}

/* waiting_in_vain - of those who wait, when each worker on its way takes one: all
 * or none, for with one too few somebody waits */
static unsigned
waiting_in_vain(const struct pool *pool)
{
    unsigned waiting = reports_waiting(pool);

    return (long)waiting > pool->starting ? waiting : 0;
}

/* full - may there be no more workers? */
static bool
full(const struct master *master, const struct pool *pool)
{
    return pool->service < 0 ||
           pool->alive >=
               master->gen->conf->service[pool->service].workers_max ||
           crew_count(master->crew) >= master->crew_max;
}

static void
full_due(struct master *master, struct pool *pool, int64_t now)
{
    unsigned waiting;

    pool->full_due = 0;
    if (pool->idle > 0)
        return; /* taken() watches when the last one is taken */
    waiting = full(master, pool) ? waiting_in_vain(pool) : 0;
    if (waiting == 0)
        reports_watch(master, pool);
    else if (pool->full_said != 0 && now - pool->full_said < FULL_SAY_MS)
        pool->full_due = pool->full_said + FULL_SAY_MS;
    else {
        say_full(pool, waiting, now);
        pool->full_due = now + FULL_SAY_MS;
    }
}

int64_t
reports_full_due(struct master *master, int64_t now)
{
    int64_t next = CLOCK_NEVER;
    size_t i;

    for (i = 0; i < master->pool_count; i++) {
        struct pool *pool = &master->pool[i];

        if (pool->full_due != 0 && pool->full_due <= now)
            full_due(master, pool, now);
        if (pool->full_due != 0 && pool->full_due < next)
            next = pool->full_due;
    }
    return next;
}
