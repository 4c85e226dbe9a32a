/*
 * runner_main.c - the process that runs programs
 *
 * Owns its loop and the master's orders. Must never hold anything of the
 * daemon's but its control pair, its workers' pairs and the log, nor take from
 * a worker which program is meant.
 */
#include "master/runner_main.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "master/helper.h"
#include "master/runner_pair.h"
#include "master/runner_program.h"
#include "master/runner_table.h"
#include "master/runner_watch.h"
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int epoll_fd = -1;
static struct runner_watch control = { .fd = -1 };
static struct runner_watch children = { .fd = -1 };

/* --- what is waited for --------------------------------------------------- */

bool
runner_watch_start(struct runner_watch *watch, enum runner_source source,
                   int fd, void *owner)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

    watch->source = source;
    watch->owner = owner;
    watch->fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    fdio_close(&watch->fd);
    return false;
}

void
runner_watch_pause(struct runner_watch *watch, bool pause)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

    /* taken out: an end would be reported even to who asks for nothing */
    if (watch->fd >= 0)
        (void)epoll_ctl(epoll_fd, pause ? EPOLL_CTL_DEL : EPOLL_CTL_ADD,
                        watch->fd, &event);
}

void
runner_watch_end(struct runner_watch *watch)
{
    if (watch->fd < 0)
        return;
    /* by name: a child that was just forked still has a copy, which would keep
     * the pointer alive in there */
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    fdio_close(&watch->fd);
}

/* --- the master's orders -------------------------------------------------- */

/* complain - an order that makes no sense; the master and we are one program */
static void
complain(const char *reason)
{
    log_simple(LOG_L_ERROR, "runner_order", reason);
}

/* order_act - what an order says; descriptors belong to RUNNER_WORKERS */
static void
order_act(struct runner_order *order)
{
    switch ((enum runner_order_kind)order->kind) {
    case RUNNER_SERVICE:
        if (!runner_table_add(order))
            complain("a program twice, or no memory");
        break;
    case RUNNER_WORKERS:
        break;
    case RUNNER_FORGET:
        runner_table_forget(order->generation);
        break;
    default:
        complain("an unknown order");
    }
}

/* order_workers - fds are taken */
static void
order_workers(const struct runner_order *order, int *fds, size_t count)
{
    struct runner_table *table =
        runner_table_find(order->generation, order->service);

    for (size_t i = 0; i < count; i++) {
        if (table == NULL || order->kind != RUNNER_WORKERS)
            fdio_close(&fds[i]); /* it sees the end */
        else if (!runner_pair_add(table, fds[i]))
            complain("a worker that cannot be served");
    }
}

static void
control_event(void)
{
    static struct runner_order order; /* large */
    size_t len = sizeof(order), count = FDIO_FDS_MAX;
    int fds[FDIO_FDS_MAX];
    enum err err;

    if (control.fd < 0)
        return;
    err = fdio_recv_all(control.fd, &order, &len, fds, &count, MSG_DONTWAIT,
                        NULL);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_EOF || err == ERR_IO) {
        runner_watch_end(&control); /* workers that there are go on */
        return;
    }
    if (err != ERR_OK || len != sizeof(order)) {
        complain("not an order"); /* also: no descriptor was free for it */
        order.kind = 0;
    } else
        order_act(&order);
    order_workers(&order, fds, count);
}

/* --- the loop ------------------------------------------------------------- */

static void
children_event(int64_t now)
{
    struct signalfd_siginfo info;

    while (read(children.fd, &info, sizeof(info)) > 0)
        continue;
    programs_reap(now);
}

static void
dispatch(struct runner_watch *watch, int64_t now)
{
    switch (watch->source) {
    case RUNNER_CONTROL:
        control_event();
        break;
    case RUNNER_CHILDREN:
        children_event(now);
        break;
    case RUNNER_PAIR:
        runner_pair_event(watch->owner, now);
        break;
    case RUNNER_STARTING:
        program_started(watch->owner, now);
        break;
    case RUNNER_ERRORS:
        program_errors(watch->owner, now);
        break;
    }
}

static void
turn(int64_t until)
{
    struct epoll_event events[64];
    int n = epoll_wait(epoll_fd, events, sizeof(events) / sizeof(events[0]),
                       clock_left(until));
    int64_t now = clock_ms();

    for (int i = 0; i < n; i++)
        dispatch(events[i].data.ptr, now);
    runner_pairs_sweep();
    programs_sweep();
    runner_table_sweep();
}

static void
serve(void)
{
    while (control.fd >= 0 || runner_pairs_any())
        turn(programs_tend(clock_ms()));
    programs_end(clock_ms());
    for (int64_t next = programs_tend(clock_ms()); programs_any();
         next = programs_tend(clock_ms()))
        turn(next);
}

/* --- coming up ------------------------------------------------------------ */

static enum err
signals(int *fd, struct why *why)
{
    static const int deaf[] = { SIGHUP,  SIGINT,  SIGTERM,
                                SIGUSR1, SIGUSR2, SIGPIPE };
    struct sigaction action = { .sa_handler = SIG_IGN };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        if (sigaction(deaf[i], &action, NULL) != 0)
            return why_errno(why, ERR_SYS, "sigaction");
    action.sa_handler = SIG_DFL;
    if (sigaction(SIGCHLD, &action, NULL) != 0 ||
        sigprocmask(SIG_SETMASK, &set, NULL) != 0 ||
        (*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return why_errno(why, ERR_SYS, "signalfd");
    return ERR_OK;
}

static enum err
come_up(const struct drop_ids *ids, int fd, struct why *why)
{
    int keep[] = { fd, log_fd() }, signal_fd = -1;
    enum err err;

    proctitle_set("runner uid %u", (unsigned)ids->uid);
    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
    if ((err = signals(&signal_fd, why)) != ERR_OK)
        return err;
    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        !runner_watch_start(&control, RUNNER_CONTROL, fd, NULL) ||
        !runner_watch_start(&children, RUNNER_CHILDREN, signal_fd, NULL))
        return why_errno(why, ERR_SYS, "epoll");
    return drop_exec(ids, why);
}

void
runner_main(const void *setup, int fd)
{
    struct why why = { "" };

    helper_hello(fd, come_up(setup, fd, &why), &why);
    serve();
}
