/*
 * pool.c - how many workers a service should have
 *
 * Owns the policy alone: numbers in, numbers out. Never calls the system, so
 * that a test can run a day of it in a moment.
 */
#include "master/pool.h"

struct pool_plan
pool_decide(const struct pool_count *count,
            const struct pool_throttle *throttle, int64_t now)
{
    struct pool_plan plan = { 0, 0 };

    if (count->alive >= count->want)
        return plan;
    if (now < throttle->until)
        plan.again_ms = throttle->until;
    else
        plan.spawn = count->want - count->alive;
    return plan;
}

/* next_delay - twice the last one, within its bounds */
static int64_t
next_delay(int64_t last)
{
    if (last == 0)
        return POOL_DELAY_MS;
    return last * 2 > POOL_DELAY_MAX_MS ? POOL_DELAY_MAX_MS : last * 2;
}

int
pool_strike(struct pool_throttle *throttle, int64_t now)
{
    /* the window runs from the first strike or the end of the last hold */
    if (now - throttle->window_start > POOL_WINDOW_MS) {
        throttle->window_start = now;
        throttle->strikes = 0;
        throttle->delay = 0;
    }
    throttle->strikes++;
    if (throttle->strikes <= POOL_STRIKES || now < throttle->until)
        return 0;
    throttle->delay = next_delay(throttle->delay);
    throttle->until = now + throttle->delay;
    throttle->window_start = throttle->until;
    throttle->strikes = 0;
    return 1;
}

void
pool_hold(struct pool_throttle *throttle, int64_t now, int64_t delay_ms)
{
    if (throttle->until < now + delay_ms)
        throttle->until = now + delay_ms;
}
