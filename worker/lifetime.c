/*
 * lifetime.c - how long a session may last
 *
 * Owns the two ends that are no silence: a time since it began, and the end of
 * the client's certificate. Pure.
 */
#include "worker/lifetime.h"
#include "common/clock.h"

#define WALL_LOOK_S 60

enum reason
lifetime_over(const struct lifetime *life, int64_t now, time_t wall)
{
    if (life->not_after != 0 && wall > life->not_after)
        return REASON_EXPIRED;
    return now >= life->until ? REASON_SESSION_TIMEOUT : REASON_NONE;
}

int64_t
lifetime_next(const struct lifetime *life, int64_t now, time_t wall,
              int64_t deadline)
{
    int64_t next = deadline < life->until ? deadline : life->until;
    int64_t left = WALL_LOOK_S;

    if (life->not_after == 0)
        return next;
    if (life->not_after < wall)
        left = 0;
    else if (life->not_after - wall < WALL_LOOK_S)
        left = life->not_after - wall + 1; /* it is valid in that second */
    return next < now + left * 1000 ? next : now + left * 1000;
}
