/* test_yield.c - worker/yield.c: only while it pays, and never for a hog */
/* wrap: clock_ms sched_yield wait_stopped */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/yield.h"

int64_t __wrap_clock_ms(void);
int __wrap_sched_yield(void);
bool __wrap_wait_stopped(void);

static int64_t now, lasts; /* lasts: how long the others run */
static unsigned yields, looks;
static bool stopped;

int64_t
__wrap_clock_ms(void)
{
    return now;
}

int
__wrap_sched_yield(void)
{
    now += lasts;
    yields++;
    return 0;
}

bool
__wrap_wait_stopped(void)
{
    looks++;
    return stopped;
}

/* rests - so many waits, of which those after a yield are called paid; how many
 * yields there were */
static unsigned
rests(unsigned count, bool paid)
{
    unsigned before = yields;

    for (unsigned i = 0; i < count; i++)
        (void)yield_first(paid);
    return yields - before;
}

/* a neighbour who computes was there and has gone: all is forgotten */
static int
calm(void **state)
{
    (void)state;
    lasts = 0;
    stopped = false;
    (void)rests(10000, true);
    return 0;
}

static void
what_pays_goes_on(void **state)
{
    (void)state;
    looks = 0;
    assert_int_equal(rests(1000, true), 1000);
    assert_in_range(looks, 1000 / 16, 1000 / 16 + 1);
}

static void
what_is_in_vain_is_left_out_for_longer(void **state)
{
    unsigned gaps = 0;

    (void)state;
    assert_true(yield_first(true));
    for (unsigned gap = 1; gap <= 63; gap = 2 * gap + 1) {
        assert_false(yield_first(false)); /* the judgement on the last one */
        assert_int_equal(rests(gap, false), 0);
        assert_true(yield_first(false));
        gaps++;
    }
    assert_int_equal(gaps, 6);
    assert_false(yield_first(false));
    assert_int_equal(rests(63, false), 0); /* it never is longer */
    assert_true(yield_first(false));
    assert_true(yield_first(true)); /* one that pays makes all good */
    assert_false(yield_first(false));
    assert_int_equal(rests(1, false), 0);
    assert_true(yield_first(false));
}

static void
a_neighbour_who_computes_is_not_yielded_to(void **state)
{
    (void)state;
    lasts = 2;
    assert_int_equal(rests(100, true), 100); /* many who do little */
    lasts = 3;
    assert_int_equal(rests(4000, true), 4);
    assert_int_equal(rests(4095 - 3996, true), 0);
    assert_int_equal(rests(4096, true), 1); /* still there: one is enough */
}

static void
one_long_turn_is_forgiven(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        lasts = 3;
        assert_int_equal(rests(1, true), 1);
        lasts = 0;
        assert_int_equal(rests(3, true), 3);
    }
}

static void
sigterm_is_seen_by_who_never_waits(void **state)
{
    (void)state;
    stopped = true;
    assert_in_range(rests(16, true), 0, 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_pays_goes_on, calm),
        cmocka_unit_test_setup(what_is_in_vain_is_left_out_for_longer, calm),
        cmocka_unit_test_setup(a_neighbour_who_computes_is_not_yielded_to,
                               calm),
        cmocka_unit_test_setup(one_long_turn_is_forgiven, calm),
        cmocka_unit_test_setup(sigterm_is_seen_by_who_never_waits, calm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
