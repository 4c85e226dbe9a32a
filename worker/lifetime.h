/* lifetime.h - how long a session may last; pure */
#ifndef WORKER_LIFETIME_H
#define WORKER_LIFETIME_H
#include "common/reason.h"
#include <stdint.h>
#include <time.h>

struct lifetime {
    int64_t until;    /* clock_ms: session_timeout; CLOCK_NEVER: none */
    time_t not_after; /* session_end = certificate: its last second; 0: none */
};

/* lifetime_over - SESSION_TIMEOUT, EXPIRED, or REASON_NONE while it goes on
 * now, wall  clock_ms and time(2). */
enum reason lifetime_over(const struct lifetime *life, int64_t now,
                          time_t wall);

/* lifetime_next - when to look again, at most `deadline`, clock_ms based. Wall
 * clocks are set: one that counts is looked at once a minute. */
int64_t lifetime_next(const struct lifetime *life, int64_t now, time_t wall,
                      int64_t deadline);
#endif
