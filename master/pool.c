/*
 * pool.c - how many workers a service should have
 *
 * Owns the policy alone: numbers in, numbers out. Never calls the system, so
 * that a test can run a day of it in a moment.
 */
#include "master/pool.h"

static long
least(long a, long b)
{
    return a < b ? a : b;
}

/* lack - so many workers more would be right */
static long
lack(const struct pool_count *count)
{
    long want = count->waiting + count->spare - count->idle - count->starting;

    if (want < count->min - count->alive + count->leaving)
        want = count->min - count->alive + count->leaving;
    return least(want, least(count->max - count->alive, count->room));
}

/* refill - tokens for the time that has gone by */
static void
refill(struct pool_pace *pace, int64_t now)
{
    int64_t more = (now - pace->tokens_at) * POOL_RATE;

    pace->tokens_at = now;
    pace->tokens = more > POOL_BURST - pace->tokens ? POOL_BURST
                                                    : pace->tokens + (long)more;
}

/* grow - a batch of what is lacking, as large as the tokens allow */
static struct pool_plan
grow(long lacking, struct pool_pace *pace, int64_t now)
{
    struct pool_plan plan = { 0 };
    long batch;

    pace->batch = pace->batch == 0 ? 1 : least(2 * pace->batch, POOL_BATCH_MAX);
    batch = least(lacking, pace->batch);
    plan.spawn = least(batch, pace->tokens);
    pace->tokens -= plan.spawn;
    if (plan.spawn < batch) /* until there are tokens for the rest of it */
        plan.again_ms = now + (batch - plan.spawn) / POOL_RATE + 1;
    else if (plan.spawn < lacking)
        plan.again_ms = now;
    return plan;
}

/* shrink - give back what was not needed for long enough */
static struct pool_plan
shrink(const struct pool_count *count, struct pool_pace *pace, int64_t now)
{
    struct pool_plan plan = { 0 };
    long staying = count->alive - count->leaving;
    long busy = staying - count->idle - count->starting;
    long high = 2 * count->spare + busy / POOL_SHARE_HIGH;
    long back;

    if (count->idle <= high || staying <= count->min) {
        pace->calm_at = 0;
        return plan;
    }
    if (pace->calm_at == 0 || count->idle < pace->calm_least)
        pace->calm_least = count->idle;
    if (pace->calm_at == 0)
        pace->calm_at = now + POOL_CALM_MS;
    plan.again_ms = pace->calm_at;
    if (now < pace->calm_at)
        return plan;
    back = (pace->calm_least - high + POOL_SHARE_BACK - 1) / POOL_SHARE_BACK;
    plan.retire = back > 0 ? least(back, staying - count->min) : 0;
    pace->calm_least = count->idle - plan.retire;
    plan.again_ms = pace->calm_at = now + POOL_CALM_MS;
    return plan;
}

struct pool_plan
pool_decide(const struct pool_count *count,
            const struct pool_throttle *throttle, struct pool_pace *pace,
            int64_t now)
{
    struct pool_plan plan = { 0 };
    long lacking = lack(count);

    refill(pace, now);
    if (lacking <= 0) {
        pace->batch = 0;
        return shrink(count, pace, now);
    }
    pace->calm_at = 0;
    if (now < throttle->until) {
        plan.again_ms = throttle->until;
        return plan;
    }
    return grow(lacking, pace, now);
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
