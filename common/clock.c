/*
 * clock.c - monotonic milliseconds and deadlines
 *
 * Owns the one clock that deadlines are measured on; it does not move when
 * somebody sets the time. Never looks at the wall clock.
 */
#include "common/clock.h"
#include <limits.h>
#include <time.h>

int64_t
clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_deadline(int64_t ms)
{
    int64_t now;

    if (ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    now = clock_ms();
    return ms > CLOCK_NEVER - 1 - now ? CLOCK_NEVER - 1 : now + ms;
}

int
clock_left(int64_t deadline)
{
    int64_t now;

    if (deadline == CLOCK_NEVER)
        return -1;
    now = clock_ms();
    if (deadline <= now)
        return 0;
    return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}
