/*
 * loop.c - one event at a time until there is nothing left
 *
 * Owns the order in which things are looked at: signals, what workers
 * report, who waits at a full pool, then whatever time has come. Signals are
 * read from a descriptor, so that none is lost between a test and a wait and
 * nothing ever runs in a handler.
 */
#include "common/clock.h"
#include "common/log.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/judging.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/overstay.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64

static void
on_hup(struct master *master, int64_t now)
{
    (void)now;
    if (master->phase == MASTER_RUN && master->inetd.kind == INETD_NONE)
        reload_now(master);
}

static void
on_term(struct master *master, int64_t now)
{
    stop_drain(master, "SIGTERM", now);
}

static void
on_int(struct master *master, int64_t now)
{
    stop_now(master, "SIGINT", now);
}

static void
on_usr1(struct master *master, int64_t now)
{
    (void)now;
    status_log(master);
}

static void
on_child(struct master *master, int64_t now)
{
    (void)now;
    reap_all(master);
}

static const struct {
    int signal;
    void (*act)(struct master *master, int64_t now);
} signals[] = {
    { SIGCHLD, on_child }, { SIGHUP, on_hup },   { SIGTERM, on_term },
    { SIGINT, on_int },    { SIGUSR1, on_usr1 },
};

static void
on_signal(struct master *master)
{
    struct signalfd_siginfo info;
    size_t i;

    while (read(master->signal_fd, &info, sizeof(info)) ==
           (ssize_t)sizeof(info))
        for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
            if ((int)info.ssi_signo == signals[i].signal)
                signals[i].act(master, clock_ms());
}

static void
on_event(struct master *master, uint64_t what)
{
    struct pool *pool;

    if (what == LOOP_SIGNAL) {
        on_signal(master);
        return;
    }
    if (what == LOOP_JUDGE) {
        judging_read(master);
        return;
    }
    if (what == LOOP_CHARGES) {
        reports_charges(master);
        return;
    }
    pool = &master->pool[(what - 1) / 2];
    if (what == LOOP_REPORT(pool - master->pool))
        reports_read(master, pool);
    else
        reports_listener(pool, clock_ms());
}

/* due - everything whose time has come; returns when the next thing is due */
static int64_t
due(struct master *master)
{
    int64_t (*const look[])(struct master *, int64_t) = {
        renew_due,        renew_expiry, reload_retry,  stop_due,
        judging_due,      admit_due,    reap_kill_due, overstay_due,
        reports_full_due, inetd_due,    spawn_fill,
    };
    int64_t now = clock_ms(), next = notify_watchdog(now), when;
    size_t i;

    for (i = 0; i < sizeof(look) / sizeof(*look); i++)
        if ((when = look[i](master, now)) < next)
            next = when;
    return next;
}

/* over - has the last worker gone after we were told to stop? */
static int
over(const struct master *master)
{
    return master->phase != MASTER_RUN && crew_count(master->crew) == 0;
}

int
loop_run(struct master *master)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t next = due(master);
    int count, i;

    while (!over(master)) {
        count = epoll_wait(master->epoll_fd, events, EVENTS_AT_ONCE,
                           clock_left(next));
        for (i = 0; i < count; i++)
            on_event(master, events[i].data.u64);
        next = due(master);
    }
    master->phase = MASTER_END;
    status_log(master);
    stop_helpers(master);
    return master->exit_code;
}
