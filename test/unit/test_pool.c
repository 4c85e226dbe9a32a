/* test_pool.c - how many workers, and when to hold back */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pool.h"

static void
decides_by_table(void **state)
{
    static const struct {
        long want, alive;
        int64_t until, now;
        long spawn;
        int64_t again;
    } rows[] = {
        { 64, 0, 0, 1000, 64, 0 },      /* cold start */
        { 64, 63, 0, 1000, 1, 0 },      /* one retired */
        { 64, 64, 0, 1000, 0, 0 },      /* full */
        { 4, 7, 0, 1000, 0, 0 },        /* more than wanted: none is ended */
        { 64, 0, 5000, 1000, 0, 5000 }, /* held back: look again then */
        { 64, 0, 5000, 5000, 64, 0 },   /* the hold is over */
        { 64, 64, 5000, 1000, 0, 0 },   /* held, but nothing to do */
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pool_count count = { rows[i].want, rows[i].alive };
        struct pool_throttle throttle = { .until = rows[i].until };
        struct pool_plan plan = pool_decide(&count, &throttle, rows[i].now);

        assert_int_equal(plan.spawn, rows[i].spawn);
        assert_int_equal(plan.again_ms, rows[i].again);
    }
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
        cmocka_unit_test(a_few_strikes_cost_nothing),
        cmocka_unit_test(a_storm_is_held_back_once_and_longer_each_time),
        cmocka_unit_test(a_quiet_window_forgets),
        cmocka_unit_test(slow_strikes_never_hold),
        cmocka_unit_test(a_failed_fork_holds_and_never_shortens),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
