/*
 * yield.c - let the other processes run instead of sleeping
 *
 * Owns every sched_yield(2) of a worker, and the judgement whether the next one
 * will pay. Must never keep SIGTERM out: a session that always finds its bytes
 * after a yield never sleeps.
 */
#include "worker/yield.h"
#include "common/clock.h"
#include "common/mem.h"
#include "worker/wait.h"
#include <sched.h>
#include <stdint.h>

/* After a yield in vain one wait goes without, then 3, 7 and so on. */
#define LONGEST_GAP 63

/* A yield forfeits what is left of a time slice. A neighbour who computes takes
 * a whole one then, where a process that has slept would be let in before its
 * end. Where that goes on, yields are left out for long. Long ones are added
 * up, a short one makes good for a millisecond. */
#define LONG_MS   2
#define LONG_MOST 10
#define LONG_GAP  4095

#define LOOK_EVERY 16

static MEM_TOUCHED bool yielded;
static MEM_TOUCHED unsigned gap;   /* waits without, after one in vain */
static MEM_TOUCHED unsigned left;  /* of them */
static MEM_TOUCHED int64_t strain; /* ms of long ones */
static MEM_TOUCHED unsigned count;

/* run_others - false: they are not of our kind */
static bool
run_others(void)
{
    int64_t took = clock_ms();

    (void)sched_yield(); /* cannot fail on Linux */
    took = clock_ms() - took;
    if (took > LONG_MS)
        strain += took;
    else if (strain > 0)
        strain--;
    if (strain < LONG_MOST)
        return true;
    strain = LONG_MOST - 1; /* then the next one is enough */
    return false;
}

bool
yield_first(bool paid)
{
    if (yielded) {
        yielded = false;
        gap = paid ? 0 : gap < LONGEST_GAP ? 2 * gap + 1 : LONGEST_GAP;
        left = left > gap ? left : gap;
        if (!paid)
            return false;
    }
    if (left > 0) {
        left--;
        return false;
    }
    if (++count % LOOK_EVERY == 0 && wait_stopped())
        return false;
    if (!run_others())
        left = LONG_GAP;
    yielded = true;
    return true;
}
