/* pool.h - how many workers a service should have: policy, pure */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H
#include <stdint.h>

/*
 * Decides; never forks, never looks at a clock (master/spawn.c does). Throttle:
 * a worker that crashes, or fails before its first report, is a strike. More
 * than POOL_STRIKES within POOL_WINDOW_MS hold back new workers for a delay
 * that doubles from POOL_DELAY_MS to POOL_DELAY_MAX_MS and starts again after a
 * quiet window. One strike costs nothing: one bad client must not slow a pool.
 */
#define POOL_STRIKES      5
#define POOL_WINDOW_MS    10000
#define POOL_DELAY_MS     1000
#define POOL_DELAY_MAX_MS 30000

struct pool_throttle {
    int64_t window_start; /* of the strikes counted */
    unsigned strikes;
    int64_t delay; /* the last delay, 0: none yet */
    int64_t until; /* no forks before; 0: free */
};

struct pool_count { /* workers of the running generation */
    long want;      /* conf: workers */
    long alive;     /* forked and not ended, starting ones included */
};

struct pool_plan {
    long spawn;       /* fork so many now */
    int64_t again_ms; /* look again at this time (clock_ms), 0: no need */
};

/* pool_decide - what to do now */
struct pool_plan pool_decide(const struct pool_count *count,
                             const struct pool_throttle *throttle, int64_t now);

/* pool_strike - count one; returns 1 when it starts a new hold (the caller
 * writes the error line), else 0 */
int pool_strike(struct pool_throttle *throttle, int64_t now);

/* pool_hold - fork(2) itself failed: nothing for delay_ms */
void pool_hold(struct pool_throttle *throttle, int64_t now, int64_t delay_ms);
#endif
