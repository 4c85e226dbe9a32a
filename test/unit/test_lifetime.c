/* test_lifetime.c - when a session ends by itself, and when that is looked at */
#include "common/clock.h"
#include "test/unit/child.h"
#include "worker/lifetime.h"
#include "worker/wait.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NEVER CLOCK_NEVER

static const struct row {
    struct lifetime life;
    int64_t now;
    time_t wall;
    enum reason over;
    int64_t deadline, next;
} rows[] = {
    { { NEVER, 0 }, 5000, 900, REASON_NONE, NEVER, NEVER },
    { { NEVER, 0 }, 5000, 900, REASON_NONE, 6000, 6000 },
    { { 8000, 0 }, 5000, 900, REASON_NONE, NEVER, 8000 },
    { { 8000, 0 }, 5000, 900, REASON_NONE, 6000, 6000 },
    { { 8000, 0 }, 7999, 900, REASON_NONE, NEVER, 8000 },
    { { 8000, 0 }, 8000, 900, REASON_SESSION_TIMEOUT, NEVER, 8000 },
    /* the last second is in it */
    { { NEVER, 903 }, 5000, 900, REASON_NONE, NEVER, 9000 },
    { { NEVER, 900 }, 5000, 900, REASON_NONE, NEVER, 6000 },
    { { NEVER, 899 }, 5000, 900, REASON_EXPIRED, NEVER, 5000 },
    { { 5500, 903 }, 5000, 900, REASON_NONE, NEVER, 5500 },
    { { 5000, 899 }, 5000, 900, REASON_EXPIRED, NEVER, 5000 },
    /* far away: once a minute */
    { { NEVER, 100000 }, 5000, 900, REASON_NONE, NEVER, 65000 },
    { { NEVER, INT64_MAX }, 5000, 900, REASON_NONE, NEVER, 65000 },
    { { NEVER, 100000 }, 5000, 900, REASON_NONE, 5001, 5001 },
};

static void
ends_and_looks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];

        assert_int_equal(lifetime_over(&row->life, row->now, row->wall),
                         row->over);
        assert_true(lifetime_next(&row->life, row->now, row->wall,
                                  row->deadline) == row->next);
    }
}

static void
live(void *arg)
{
    struct lifetime life = { .until = clock_deadline(30) };

    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    wait_life(&life);
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    child_must(!wait_stopped() && wait_life_over() == REASON_NONE);
    child_must(wait_for(NULL, 0, NEVER) == ERR_STOP);
    child_must(wait_stopped());
    child_must(wait_life_over() == REASON_SESSION_TIMEOUT);
    wait_goodbye();
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    wait_life(NULL); /* the next session: nothing of this one is left */
    child_must(!wait_stopped() && wait_life_over() == REASON_NONE);
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    raise(SIGTERM);
    child_must(wait_for(NULL, 0, NEVER) == ERR_STOP);
}

static void
a_life_that_is_over_ends_waits_and_no_worker(void **state)
{
    (void)state;
    assert_true(child_run(live, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_and_looks),
        cmocka_unit_test(a_life_that_is_over_ends_waits_and_no_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
