/*
 * test_certsig.c - a mark is known from the moment that it is kept, and no other
 * one with it
 */
#include "worker/certsig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
a_mark_is_known_when_kept(void **state)
{
    uint8_t mark[CERTSIG_MARK] = { 1, 2, 3 };

    (void)state;
    assert_false(certsig_known(mark));
    certsig_keep(mark);
    certsig_keep(mark);
    assert_true(certsig_known(mark));
}

static void
every_bit_of_it_counts(void **state)
{
    uint8_t mark[CERTSIG_MARK] = { 7 };

    (void)state;
    certsig_keep(mark);
    for (int i = 0; i < CERTSIG_MARK * 8; i++) {
        mark[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(certsig_known(mark));
        mark[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(certsig_known(mark));
}

static void
one_that_comes_pushes_out_one_at_most(void **state)
{
    uint8_t mark[CERTSIG_MARK] = { 0 };
    int known = 0;

    (void)state;
    mark[1] = 1;
    for (int i = 0; i < 256; i++) {
        mark[0] = (uint8_t)i;
        certsig_keep(mark);
        assert_true(certsig_known(mark));
    }
    mark[1] = 2;
    mark[0] = 5;
    certsig_keep(mark);
    mark[1] = 1;
    for (int i = 0; i < 256; i++) {
        mark[0] = (uint8_t)i;
        known += certsig_known(mark);
    }
    assert_int_equal(known, 31);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_known_when_kept),
        cmocka_unit_test(every_bit_of_it_counts),
        cmocka_unit_test(one_that_comes_pushes_out_one_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
