/* pool.h - how many workers a service should have: policy, pure */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H
#include <stdint.h>

/*
 * Decides; never forks, never looks at a clock (master/spawn.c does).
 *
 * Growth: `spare` workers stand by free, idle or starting, and one more for
 * everybody who waits in the listen queue. What is lacking is forked in
 * batches, 1, 2, 4 to POOL_BATCH_MAX, so that reports and signals are served in
 * between. No more than POOL_RATE forks in a millisecond over time and
 * POOL_BURST at once: a client that burns workers cannot burn the machine.
 *
 * Shrinking: workers that stood idle beyond a high-water mark for all of
 * POOL_CALM_MS were not needed; one in POOL_SHARE_BACK of them retires, and
 * then the watch begins anew. So a burst that comes back within that time finds
 * them all, a pause costs memory for a minute or two, and a night none.
 *
 * Throttle: a worker that crashes, or fails before its first report, is a
 * strike. More than POOL_STRIKES within POOL_WINDOW_MS hold back new workers
 * for a delay that doubles from POOL_DELAY_MS to POOL_DELAY_MAX_MS and starts
 * again after a quiet window. One strike costs nothing: one bad client must
 * not slow a pool.
 */
#define POOL_BATCH_MAX  64
#define POOL_RATE       4
#define POOL_BURST      1024
#define POOL_CALM_MS    5000
#define POOL_SHARE_BACK 4
#define POOL_SHARE_HIGH 16 /* high water: 2 * spare, and 1 in so many busy */

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

struct pool_pace {     /* from one decision to the next; zero at first */
    long batch;        /* the last one, 0: nothing was lacking */
    long tokens;       /* forks that may be made at once */
    int64_t tokens_at; /* when they were counted */
    int64_t calm_at;   /* too many are idle: until then, to be sure; 0: no */
    long calm_least;   /* so many were, all that time */
};

struct pool_count {       /* workers of the running generation */
    long min, max, spare; /* conf */
    long room;            /* so many more can the whole daemon hold */
    long alive;           /* forked and not ended */
    long starting;        /* of these, not yet heard of */
    long idle;            /* of these, free and not told to retire */
    long leaving;         /* of these, told to retire, and idle until then */
    long waiting;         /* in the listen queue; asked for only when idle is
                           * 0, since the idle take them anyway */
};

struct pool_plan {
    long spawn;       /* fork so many now */
    long retire;      /* let so many idle ones go */
    int64_t again_ms; /* look again at this time (clock_ms), 0: no need */
};

/* pool_decide - what to do now; pace is brought up to date, and expects that
 * the plan is carried out */
struct pool_plan pool_decide(const struct pool_count *count,
                             const struct pool_throttle *throttle,
                             struct pool_pace *pace, int64_t now);

/* pool_strike - count one; returns 1 when it starts a new hold (the caller
 * writes the error line), else 0 */
int pool_strike(struct pool_throttle *throttle, int64_t now);

/* pool_hold - fork(2) itself failed: nothing for delay_ms */
void pool_hold(struct pool_throttle *throttle, int64_t now, int64_t delay_ms);
#endif
