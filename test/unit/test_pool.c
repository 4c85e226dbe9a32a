/*
 * test_pool.c - how many workers, when to hold back, and a day of it
 *
 * The day is a model: connections come and go on a clock of ten milliseconds,
 * a fork takes FORK_US and a step until the worker waits for clients. What is
 * asked of the policy is written as numbers at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "master/pool.h"

static const struct pool_throttle no_throttle;

static void
decides_by_table(void **state)
{
    static const struct {
        struct pool_count count; /* min max spare room alive starting idle
                                  * leaving waiting */
        int64_t until, now;
        long spawn; /* with a batch of its own after the rows before */
        int64_t again;
    } rows[] = {
        /* cold start: a batch of one, and at once again */
        { { 64, 64, 4, 999, 0, 0, 0, 0, 0 }, 0, 1000, 1, 1000 },
        { { 64, 64, 4, 999, 1, 1, 0, 0, 0 }, 0, 1000, 2, 1000 },
        { { 64, 64, 4, 999, 3, 3, 0, 0, 0 }, 0, 1000, 4, 1000 },
        { { 64, 64, 4, 999, 7, 7, 0, 0, 0 }, 0, 1000, 8, 1000 },
        /* full: what there is, is enough */
        { { 64, 64, 4, 999, 64, 0, 64, 0, 0 }, 0, 1000, 0, 0 },
        /* one has ended */
        { { 64, 64, 4, 999, 63, 0, 63, 0, 0 }, 0, 1000, 1, 0 },
        { { 64, 64, 4, 999, 64, 1, 63, 0, 0 }, 0, 1000, 0, 0 },
        /* as many as there may be, whoever waits */
        { { 4, 64, 4, 999, 64, 0, 0, 0, 500 }, 0, 1000, 0, 0 },
        { { 4, 64, 4, 999, 63, 0, 0, 0, 500 }, 0, 1000, 1, 0 },
        { { 4, 64, 4, 0, 10, 0, 0, 0, 500 }, 0, 1000, 0, 0 },
        /* fewer than spare are free; starting ones count as free */
        { { 4, 64, 4, 999, 10, 0, 3, 0, 0 }, 0, 1000, 1, 0 },
        { { 4, 64, 4, 999, 11, 1, 3, 0, 0 }, 0, 1000, 0, 0 },
        { { 4, 64, 4, 999, 11, 4, 0, 0, 0 }, 0, 1000, 0, 0 },
        /* who waits is counted */
        { { 4, 64, 4, 999, 11, 4, 0, 0, 1 }, 0, 1000, 1, 0 },
        /* one that leaves is none of min's */
        { { 4, 64, 1, 999, 4, 0, 3, 1, 0 }, 0, 1000, 1, 0 },
        /* more than wanted, for now */
        { { 4, 64, 4, 999, 60, 0, 60, 0, 0 }, 0, 1000, 0, 1000 + POOL_CALM_MS },
        /* held back: look again then */
        { { 64, 64, 4, 999, 0, 0, 0, 0, 0 }, 5000, 1000, 0, 5000 },
        { { 64, 64, 4, 999, 64, 0, 64, 0, 0 }, 5000, 1000, 0, 0 },
        { { 64, 64, 4, 999, 63, 0, 63, 0, 0 }, 5000, 5000, 1, 0 },
    };
    struct pool_pace pace = { 0 };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pool_throttle throttle = { .until = rows[i].until };
        struct pool_plan plan =
            pool_decide(&rows[i].count, &throttle, &pace, rows[i].now);

        if (plan.spawn != rows[i].spawn || plan.again_ms != rows[i].again)
            fail_msg("row %zu: spawn %ld again %lld", i, plan.spawn,
                     (long long)plan.again_ms);
        assert_int_equal(plan.retire, 0);
    }
}

/* forks of a pool that is given nothing but time, until it asks for no more */
static long
forks_until(struct pool_count *count, struct pool_pace *pace, int64_t *now,
            int64_t until)
{
    struct pool_plan plan;
    long forks = 0;

    do {
        plan = pool_decide(count, &no_throttle, pace, *now);
        assert_true(plan.spawn <= POOL_BATCH_MAX);
        assert_true(plan.again_ms == 0 || plan.again_ms >= *now);
        forks += plan.spawn;
        count->alive += plan.spawn;
        count->starting += plan.spawn;
        if (plan.again_ms > *now)
            *now = plan.again_ms;
    } while (plan.again_ms != 0 && *now < until);
    return forks;
}

static void
a_burst_of_three_thousand_gets_them_in_a_second(void **state)
{
    struct pool_count count = { 4, 10000, 4, 99999, 4, 0, 0, 0, 2996 };
    struct pool_pace pace = { 0 };
    int64_t now = 1000000;

    (void)state;
    assert_int_equal(forks_until(&count, &pace, &now, now + 1000), 3000);
    assert_in_range(now, 1000000, 1000000 + 1000);
}

/* workers that burn as fast as they are forked, for ten seconds */
static void
a_fork_storm_is_capped(void **state)
{
    struct pool_count count = { 4, 256, 4, 99999, 0, 0, 0, 0, 1000 };
    struct pool_pace pace = { 0 };
    int64_t now = 1000000, end = now + 10000;
    long forks = 0;

    (void)state;
    while (now < end) {
        int64_t before = now;

        forks += forks_until(&count, &pace, &now, end);
        count.alive = count.starting = 0;
        now += now == before;
    }
    assert_in_range(forks, 9 * 1000 * POOL_RATE,
                    (now - 1000000) * POOL_RATE + POOL_BURST);
}

/* idle - a pool that nobody uses any more, looked at whenever it wants to be;
 * returns the time that it took to come to rest */
static int64_t
rest(struct pool_count *count)
{
    struct pool_pace pace = { 0 };
    struct pool_plan plan;
    int64_t now = 1000000;

    while (plan = pool_decide(count, &no_throttle, &pace, now),
           plan.again_ms != 0) {
        assert_int_equal(plan.spawn, 0);
        assert_true(plan.retire <= (count->idle + 3) / POOL_SHARE_BACK);
        count->alive -= plan.retire;
        count->idle -= plan.retire;
        assert_true(plan.again_ms > now);
        now = plan.again_ms;
    }
    return now - 1000000;
}

static void
what_is_not_needed_is_given_back_slowly(void **state)
{
    struct pool_count count = { 4, 400, 4, 99999, 300, 0, 300, 0, 0 };
    struct pool_count night = { 4, 10000, 4, 99999, 10000, 0, 10000, 0, 0 };
    struct pool_count least = { 200, 400, 4, 99999, 300, 0, 300, 0, 0 };

    (void)state;
    assert_in_range(rest(&count), 30 * 1000, 3 * 60 * 1000);
    assert_int_equal(count.alive, 8);
    assert_in_range(rest(&night), 60 * 1000, 5 * 60 * 1000);
    assert_int_equal(night.alive, 8);
    rest(&least);
    assert_int_equal(least.alive, 200);
}

static void
a_moment_of_need_keeps_them_all(void **state)
{
    struct pool_count idle = { 4, 400, 4, 99999, 300, 0, 300, 0, 0 };
    struct pool_count busy = { 4, 400, 4, 99999, 300, 0, 4, 0, 0 };
    struct pool_pace pace = { 0 };
    int64_t now;

    (void)state;
    for (now = 1000000; now < 1600000; now += 100) {
        bool burst = now % (POOL_CALM_MS - 500) == 0;
        struct pool_plan plan =
            pool_decide(burst ? &busy : &idle, &no_throttle, &pace, now);

        assert_int_equal(plan.spawn + plan.retire, 0);
    }
}

/* ---- a day ---- */

#define STEP_MS    10
#define DAY_STEPS  (24 * 3600 * 1000 / STEP_MS)
#define HOUR_STEPS (3600 * 1000 / STEP_MS)
#define FORK_US    300  /* of the master */
#define LONGEST    8192 /* steps that a session, or a wait, lasts at most */
#define BACKLOG    1024 /* who comes then is not let in */

struct day {
    struct pool_count count;
    struct pool_pace pace;
    unsigned ends[LONGEST]; /* sessions, by the step at which they end */
    unsigned born[LONGEST]; /* arrivals in the queue, by step */
    long oldest;            /* the first step that has one */
    long busy, step;
    unsigned seed;
    /* what it came to */
    long connections, forks, retired, most, night, waited_most;
    long waited_free; /* steps, while there might have been more workers */
};

static unsigned
random_to(struct day *day, unsigned limit)
{
    day->seed = day->seed * 1664525u + 1013904223u;
    return (unsigned)(((uint64_t)day->seed * limit) >> 32);
}

/* arrivals - the curve of a day with noise, a burst of 300 every ten minutes,
 * and half an hour at noon with more than max can hold */
static unsigned
arrivals(struct day *day)
{
    static const unsigned curve[24] = {
        /* connections a minute */
        60,   30,   12,   6,    6,    30,   300,  1200, 3000, 4500, 5400, 6000,
        6000, 5400, 6000, 5400, 4800, 3600, 3000, 2400, 1800, 900,  300,  120,
    };
    long hour = day->step / HOUR_STEPS;
    unsigned rate = curve[hour] * 2;
    unsigned count = 0;

    if (hour == 12 && day->step % HOUR_STEPS < HOUR_STEPS / 2)
        rate *= 8;
    /* twice the rate half of the time, in stretches of a second */
    if ((day->step / 100 * 2654435761u >> 16) % 2 == 0)
        rate = 0;
    rate *= STEP_MS; /* per 60,000 */
    count = rate / 60000 + (random_to(day, 60000) < rate % 60000);
    if (day->step % (HOUR_STEPS / 6) == 77)
        count += 300;
    return count;
}

static void
serve_queue(struct day *day)
{
    long waited;

    while (day->count.idle > 0 && day->count.waiting > 0) {
        while (day->born[day->oldest % LONGEST] == 0)
            day->oldest++;
        day->born[day->oldest % LONGEST]--;
        waited = day->step - day->oldest;
        if (waited > day->waited_most)
            day->waited_most = waited;
        day->count.waiting--;
        day->count.idle--;
        day->busy++;
        day->ends[(day->step + 1 + random_to(day, 400)) % LONGEST]++;
    }
}

/* decide - as the master's loop does, with the time that forks take */
static void
decide(struct day *day)
{
    struct pool_count seen = day->count;
    struct pool_plan plan;
    int64_t now = (int64_t)(day->step + 1000) * STEP_MS;
    long left_us = STEP_MS * 1000;

    do {
        seen.waiting = seen.idle == 0 ? day->count.waiting : 0;
        plan = pool_decide(&seen, &no_throttle, &day->pace, now);
        left_us -= plan.spawn * FORK_US;
        day->forks += plan.spawn;
        day->retired += plan.retire;
        seen.alive += plan.spawn - plan.retire;
        seen.starting += plan.spawn;
        seen.idle -= plan.retire;
    } while (plan.again_ms == now && left_us > 0);
    assert_true(seen.alive >= seen.min || plan.again_ms != 0);
    assert_true(seen.alive <= seen.max && seen.idle >= 0);
    day->count = seen;
}

static void
step(struct day *day)
{
    unsigned *over = &day->ends[day->step % LONGEST], came = arrivals(day);
    long starting = day->count.starting;

    day->busy -= *over;
    day->count.idle += *over + starting;
    day->count.starting = 0;
    *over = 0;
    if (came > BACKLOG - day->count.waiting)
        came = (unsigned)(BACKLOG - day->count.waiting);
    day->born[day->step % LONGEST] = came;
    if (day->count.waiting == 0)
        day->oldest = day->step;
    day->count.waiting += came;
    day->connections += came;
    serve_queue(day);
    if (day->count.waiting > 0 && day->count.alive < day->count.max &&
        day->step - day->oldest > day->waited_free)
        day->waited_free = day->step - day->oldest;
    decide(day);
    if (day->count.alive > day->most)
        day->most = day->count.alive;
    if (day->step / HOUR_STEPS == 4 && day->count.alive > day->night &&
        day->step % (HOUR_STEPS / 6) > HOUR_STEPS / 12)
        day->night = day->count.alive; /* well after a burst */
}

static void
a_day_goes_by(void **state)
{
    static struct day day;

    (void)state;
    memset(&day, 0, sizeof(day));
    day.count.min = 4;
    day.count.max = 600;
    day.count.spare = 4;
    day.count.room = 1200;
    day.seed = 1;
    for (day.step = 0; day.step < DAY_STEPS; day.step++)
        step(&day);
    print_message("%ld connections, %ld forks, most %ld, night %ld, waited "
                  "%ld ms, %ld ms while there might have been more\n",
                  day.connections, day.forks, day.most, day.night,
                  day.waited_most * STEP_MS, day.waited_free * STEP_MS);
    assert_true(day.connections > 1000000);
    assert_int_equal(day.forks - day.retired, day.count.alive);
    /* no flapping: the bursts of the night alone are half of these */
    assert_true(day.forks * 50 < day.connections);
    /* 300 forks at once take 90 ms of the master */
    assert_true(day.waited_free * STEP_MS <= 150);
    assert_int_equal(day.most, day.count.max);
    assert_true(day.waited_most * STEP_MS > 1000); /* noon fills the pool */
    assert_in_range(day.night, day.count.min, 16);
}

static void
a_few_strikes_cost_nothing(void **state)
{
    struct pool_throttle throttle = { 0 };
    int i;

    (void)state;
    for (i = 0; i < POOL_STRIKES; i++)
        assert_int_equal(pool_strike(&throttle, 1000000 + i), 0);
    assert_int_equal(throttle.until, 0);
}

static void
a_storm_is_held_back_once_and_longer_each_time(void **state)
{
    struct pool_throttle throttle = { 0 };
    int64_t now = 1000000, delay = POOL_DELAY_MS;
    int round, i, held;

    (void)state;
    for (round = 0; round < 8; round++) {
        held = 0;
        for (i = 0; i <= POOL_STRIKES; i++)
            held += pool_strike(&throttle, now);
        assert_int_equal(held, 1);
        assert_int_equal(throttle.until, now + delay);
        /* whoever dies during the hold does not prolong it */
        assert_int_equal(pool_strike(&throttle, now + 1), 0);
        assert_int_equal(throttle.until, now + delay);
        now = throttle.until;
        delay = delay * 2 > POOL_DELAY_MAX_MS ? POOL_DELAY_MAX_MS : delay * 2;
    }
}

static void
a_quiet_window_forgets(void **state)
{
    struct pool_throttle throttle = { 0 };
    int64_t now = 1000000;
    int i;

    (void)state;
    for (i = 0; i <= POOL_STRIKES; i++)
        pool_strike(&throttle, now);
    now = throttle.until + POOL_WINDOW_MS + 1;
    for (i = 0; i < POOL_STRIKES; i++)
        assert_int_equal(pool_strike(&throttle, now), 0);
    assert_int_equal(pool_strike(&throttle, now), 1);
    assert_int_equal(throttle.delay, POOL_DELAY_MS);
}

static void
slow_strikes_never_hold(void **state)
{
    struct pool_throttle throttle = { 0 };
    int64_t now = 1000000;
    int i;

    (void)state;
    for (i = 0; i < 1000; i++, now += POOL_WINDOW_MS / POOL_STRIKES + 1)
        assert_int_equal(pool_strike(&throttle, now), 0);
}

static void
a_failed_fork_holds_and_never_shortens(void **state)
{
    struct pool_throttle throttle = { 0 };

    (void)state;
    pool_hold(&throttle, 1000, 500);
    assert_int_equal(throttle.until, 1500);
    pool_hold(&throttle, 1000, 100);
    assert_int_equal(throttle.until, 1500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_by_table),
        cmocka_unit_test(a_burst_of_three_thousand_gets_them_in_a_second),
        cmocka_unit_test(a_fork_storm_is_capped),
        cmocka_unit_test(what_is_not_needed_is_given_back_slowly),
        cmocka_unit_test(a_moment_of_need_keeps_them_all),
        cmocka_unit_test(a_day_goes_by),
        cmocka_unit_test(a_few_strikes_cost_nothing),
        cmocka_unit_test(a_storm_is_held_back_once_and_longer_each_time),
        cmocka_unit_test(a_quiet_window_forgets),
        cmocka_unit_test(slow_strikes_never_hold),
        cmocka_unit_test(a_failed_fork_holds_and_never_shortens),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
