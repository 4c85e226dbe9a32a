/*
 * accept.c - an idle worker waits for its next connection, or for its end
 *
 * Owns every accept4(2). Never reads a byte from a connection.
 */
#include "worker/accept.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/ground.h"
#include "worker/wait.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 16
#define SHORT_MS       100 /* after EMFILE, ENFILE, ENOBUFS, ENOMEM */

/* what an event means: a listener's index, or this */
#define RETIRE UINT32_MAX

static enum err
watch(int epoll_fd, int fd, uint32_t events, uint32_t what, struct why *why)
{
    struct epoll_event event = { .events = events, .data.u32 = what };

    if (fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return why_errno(why, ERR_SYS, "epoll_ctl");
    return ERR_OK;
}

enum err
accept_init(const struct worker_brief *brief, struct accept *out,
            struct why *why)
{
    const int ends[] = { brief->leash_fd, brief->keeper_fd,
                         brief->connector_fd };
    enum err err = ERR_OK;
    size_t i;

    out->brief = brief;
    if ((out->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return why_errno(why, ERR_SYS, "epoll_create1");
    for (i = 0; err == ERR_OK && i < brief->listen_count; i++)
        err = watch(out->epoll_fd, brief->listen_fd[i],
                    EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i, why);
    /* nothing is ever asked while idle: anything here is an end */
    for (i = 0; err == ERR_OK && i < sizeof(ends) / sizeof(*ends); i++)
        err = watch(out->epoll_fd, ends[i], EPOLLIN, RETIRE, why);
    return err;
}

/* short_of - the system has no room for the connection now: leave it in the
 * backlog, let somebody else end first */
static void
short_of(void)
{
    struct why why;

    why_errno(&why, ERR_SYS, "accept");
    log_simple(LOG_L_WARN, "accept_failed", why.text);
    wait_for(NULL, 0, clock_deadline(SHORT_MS));
}

/* try_one - one accept4; ERR_AGAIN: nothing there for us */
static enum err
try_one(int listen_fd, int *fd, struct sockaddr_storage *sa, socklen_t *len)
{
    *len = sizeof(*sa);
    *fd = accept4(listen_fd, (struct sockaddr *)sa, len,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0)
        return ERR_OK;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM)
        short_of();
    return ERR_AGAIN; /* taken by another, or gone again: accept(2) */
}

bool
accept_over(const struct worker_brief *brief)
{
    struct pollfd ends[] = {
        { .fd = brief->leash_fd, .events = POLLIN },
        { .fd = brief->keeper_fd, .events = POLLIN },
        { .fd = brief->connector_fd, .events = POLLIN },
    };

    return poll(ends, sizeof(ends) / sizeof(ends[0]), 0) > 0 || wait_stopped();
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
    /* who comes from a session was not woken for anybody, and must not take a
     * connection that newer workers wait for */
    bool retire = accept_over(accept->brief);
    int count, i;

    while (!retire) {
        count = next_events(accept->epoll_fd, events);
        if (count < 0 && errno != EINTR)
            return why_errno(why, ERR_SYS, "epoll_pwait");
        retire = wait_stopped();
        for (i = 0; i < count; i++)
            retire |= events[i].data.u32 == RETIRE;
        for (i = 0; i < count; i++)
            if (events[i].data.u32 != RETIRE &&
                try_one(accept->brief->listen_fd[events[i].data.u32], fd, sa,
                        len) == ERR_OK)
                return ERR_OK;
    }
    return ERR_STOP;
}
