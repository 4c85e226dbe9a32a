/*
 * accept.c - an idle worker waits for its next connection, or for its end
 *
 * Owns every accept4(2), and the reading of the leash. Never reads a byte from a
 * connection.
 */
#include "worker/accept.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/report.h"
#include "worker/ground.h"
#include "worker/wait.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 16
#define SHORT_MS       100   /* after EMFILE, ENFILE, ENOBUFS, ENOMEM */
#define SHORT_SAY_MS   10000 /* and said at most once in */

/* what an event means: a listener's index, or one of these */
#define LEASH UINT32_MAX
#define END   (UINT32_MAX - 1)

static enum err
watch(int epoll_fd, int fd, uint32_t events, uint32_t what, struct why *why)
{
    struct epoll_event event = { .events = events, .data.u32 = what };

    if (fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return why_errno(why, ERR_SYS, "epoll_ctl");
    return ERR_OK;
}

/*
 * listen_for - listeners into the set, or out of it. The kernel walks over all
 * who have a listener in their set to find one that sleeps, first come first:
 * whoever stays in it gets the next connection while its memory is still in the
 * processor's caches. But with ten thousand sessions that walk would be most of
 * what a new connection costs, so a session that rests steps aside.
 */
static enum err
listen_for(struct accept *accept, bool on, struct why *why)
{
    const struct worker_brief *brief = accept->brief;
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < brief->listen_count; i++) {
        if (on)
            err = watch(accept->epoll_fd, brief->listen_fd[i],
                        EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i, why);
        else
            (void)epoll_ctl(accept->epoll_fd, EPOLL_CTL_DEL,
                            brief->listen_fd[i], NULL);
    }
    accept->watching = on;
    return err;
}

/* step_aside - the session waits for longer than a moment */
static void
step_aside(void *ctx)
{
    struct accept *accept = ctx;

    if (accept->watching)
        (void)listen_for(accept, false, NULL);
}

enum err
accept_init(const struct worker_brief *brief, struct accept *out,
            struct why *why)
{
    enum err err;

    *out = (struct accept){ .brief = brief };
    wait_on_rest(step_aside, out);
    if ((out->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return why_errno(why, ERR_SYS, "epoll_create1");
    err = watch(out->epoll_fd, brief->leash_fd, EPOLLIN | EPOLLEXCLUSIVE, LEASH,
                why);
    /* nothing is ever asked while idle: anything here is an end */
    if (err == ERR_OK)
        err = watch(out->epoll_fd, brief->keeper_fd, EPOLLIN, END, why);
    if (err == ERR_OK)
        err = watch(out->epoll_fd, brief->connector_fd, EPOLLIN, END, why);
    /* a program's end may be told late: only the pair's own counts */
    if (err == ERR_OK)
        err = watch(out->epoll_fd, brief->runner_fd, 0, END, why);
    return err == ERR_OK ? listen_for(out, true, why) : err;
}

/* short_of - the system has no room for the connection now: leave it in the
 * backlog, let somebody else end first. Nobody else is woken for it. */
static void
short_of(struct accept *accept)
{
    int64_t now = clock_ms();
    struct why why;

    why_errno(&why, ERR_SYS, "accept");
    if (accept->said_at == 0 || now - accept->said_at >= SHORT_SAY_MS) {
        accept->said_at = now;
        log_simple(LOG_L_WARN, "accept_failed", why.text);
    }
    wait_for(NULL, 0, now + SHORT_MS);
}

/* try_one - one accept4; ERR_AGAIN: nothing there for us. ERR_STOP: the master
 * has shut the listener down, for good; it would wake us for ever. */
static enum err
try_one(struct accept *accept, int listen_fd, int *fd,
        struct sockaddr_storage *sa, socklen_t *len)
{
    *len = sizeof(*sa);
    *fd = accept4(listen_fd, (struct sockaddr *)sa, len,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0)
        return ERR_OK;
    if (errno == EINVAL)
        return ERR_STOP;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM)
        short_of(accept);
    return ERR_AGAIN; /* taken by another, or gone again: accept(2) */
}

bool
accept_over(const struct worker_brief *brief)
{
    struct pollfd ends[] = {
        { .fd = brief->leash_fd, .events = 0 }, /* POLLHUP: its end */
        { .fd = brief->keeper_fd, .events = POLLIN },
        { .fd = brief->connector_fd, .events = POLLIN },
        { .fd = brief->runner_fd, .events = 0 }, /* POLLHUP, too */
    };

    return poll(ends, sizeof(ends) / sizeof(ends[0]), 0) > 0 || wait_stopped();
}

/* let_off - is the leash at its end, or is there a byte for one idle worker?
 * Who takes it says so: nobody must count on us from then on. */
static bool
let_off(const struct worker_brief *brief)
{
    const struct report record = { .kind = REPORT_LEAVING };
    char byte;
    ssize_t n = read(brief->leash_fd, &byte, 1);

    if (n > 0)
        (void)send(brief->report_fd, &record, sizeof(record), MSG_NOSIGNAL);
    return n >= 0 || errno != EAGAIN;
}

/* look - the listeners that woke us, in the order of the events; then the
 * leash. ERR_AGAIN: it was nothing. */
static enum err
look(struct accept *accept, const struct epoll_event *events, int count,
     int *fd, struct sockaddr_storage *sa, socklen_t *len)
{
    const struct worker_brief *brief = accept->brief;
    enum err err = ERR_AGAIN;
    bool over;
    int i;

    for (i = 0; i < count && err == ERR_AGAIN; i++)
        if (events[i].data.u32 < END)
            err = try_one(accept, brief->listen_fd[events[i].data.u32], fd, sa,
                          len);
    if (err == ERR_OK)
        return ERR_OK;
    over = err == ERR_STOP || wait_stopped();
    for (i = 0; i < count && !over; i++)
        over = events[i].data.u32 == END ||
               (events[i].data.u32 == LEASH && let_off(brief));
    return over ? ERR_STOP : ERR_AGAIN;
}

/* next_events - wait; after a moment, with no more memory than that takes */
static int
next_events(int epoll_fd, struct epoll_event *events)
{
    int count = epoll_pwait(epoll_fd, events, EVENTS_AT_ONCE, WAIT_MOMENT_MS,
                            wait_idle_mask());

    if (count != 0)
        return count;
    ground_rest();
    return epoll_pwait(epoll_fd, events, EVENTS_AT_ONCE, -1, wait_idle_mask());
}

enum err
accept_next(struct accept *accept, int *fd, struct sockaddr_storage *sa,
            socklen_t *len, struct why *why)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    enum err err = ERR_AGAIN;
    int count;

    /* who comes from a session was not woken for anybody, and must not take a
     * connection that newer workers wait for */
    if (accept_over(accept->brief) || let_off(accept->brief))
        return ERR_STOP;
    if (!accept->watching && listen_for(accept, true, why) != ERR_OK)
        return ERR_SYS;
    while (err == ERR_AGAIN) {
        count = next_events(accept->epoll_fd, events);
        if (count < 0 && errno != EINTR)
            return why_errno(why, ERR_SYS, "epoll_pwait");
        err = look(accept, events, count, fd, sa, len);
    }
    return err;
}
