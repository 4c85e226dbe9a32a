/*
 * yield.c - let the other processes run instead of sleeping
 *
 * Owns every sched_yield(2) of a worker, and the judgement whether the next one
 * will pay. Must never keep SIGTERM out: a session that always finds its bytes
 * after a yield never sleeps.
 */
#include "worker/yield.h"
#include "common/clock.h"
#include "worker/wait.h"
#include <sched.h>
#include <stdint.h>

/* After a yield in vain one wait goes without, then 3, 7 and so on. */
#define LONGEST_GAP 63

/* A yield forfeits what is left of a time slice. A neighbour who computes takes
 * a whole one then, where a process that has slept would be let in before its
 * end. Where most yields last so long they are left out for long. */
#define LONG_MS   2
#define LONG_COST 8 /* so many short ones make good for one */
#define LONG_MOST 32
#define LONG_GAP  4095

#define LOOK_EVERY 16

static bool yielded;
static unsigned gap;  /* waits without, after the last yield that did not pay */
static unsigned left; /* of them */
static unsigned strain;
static unsigned count;

/* run_others - false: they are not of our kind */
static bool
run_others(void)
{
    int64_t began = clock_ms();

    (void)sched_yield(); /* cannot fail on Linux */
    if (clock_ms() - began <= LONG_MS) {
        strain -= strain > 0;
        return true;
    }
    strain += LONG_COST;
    if (strain < LONG_MOST)
        return true;
    strain = LONG_MOST - LONG_COST; /* then the next one is enough */
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
