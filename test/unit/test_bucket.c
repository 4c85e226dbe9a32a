/* test_bucket.c - so many a second, and as many at once */
#include "common/bucket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* taken - how many of so many tries got a token */
static int
taken(struct bucket *bucket, int tries, int64_t now)
{
    int count = 0;

    while (tries-- > 0)
        count += bucket_take(bucket, 1000, 50, now);
    return count;
}

static void
a_burst_and_then_the_rate(void **state)
{
    struct bucket bucket;

    (void)state;
    bucket_fill(&bucket, 50, 100);
    assert_int_equal(taken(&bucket, 100, 100), 50);
    assert_int_equal(taken(&bucket, 100, 107), 7);
    assert_int_equal(taken(&bucket, 100, 107), 0);
    assert_int_equal(taken(&bucket, 100, 150), 43);
}

static void
no_more_is_saved_up_than_a_burst(void **state)
{
    struct bucket bucket;

    (void)state;
    bucket_fill(&bucket, 50, 0);
    assert_int_equal(taken(&bucket, 100, 1000000), 50);
    assert_int_equal(taken(&bucket, 100, INT64_MAX / 2), 50);
}

static void
time_that_goes_back_adds_nothing(void **state)
{
    struct bucket bucket;

    (void)state;
    bucket_fill(&bucket, 50, 1000);
    assert_int_equal(taken(&bucket, 50, 1000), 50);
    assert_int_equal(taken(&bucket, 50, 500), 0);
    assert_int_equal(taken(&bucket, 50, 510), 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_the_rate),
        cmocka_unit_test(no_more_is_saved_up_than_a_burst),
        cmocka_unit_test(time_that_goes_back_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
