/*
 * test_board.c - a worker shares one page with the master and no other
 */
#include "common/board.h"
#include "test/unit/child.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT 64

static struct board *board;

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(board_new(COUNT, &board, NULL), ERR_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    board_free(board);
    return 0;
}

static void
slots_are_given_once(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(board_take(board), i);
    assert_int_equal(board_take(board), -1);
    board_slot(board, 7)->refused = 3;
    strcpy(board_slot(board, 7)->subject, "CN=ops");
    board_give(board, 7);
    assert_int_equal(board_take(board), 7);
    assert_int_equal(board_slot(board, 7)->refused, 0);
    assert_string_equal(board_slot(board, 7)->subject, "");
}

static void
numbers_outside_are_no_slot(void **state)
{
    (void)state;
    assert_null(board_slot(board, -1));
    assert_null(board_slot(board, COUNT));
    assert_null(board_slot(board, INT32_MAX));
    board_give(board, -1);
    board_give(board, COUNT);
    assert_non_null(board_slot(board, COUNT - 1));
}

static void
impossible_counts_are_refused(void **state)
{
    struct board *none;
    struct why why;

    (void)state;
    assert_int_equal(board_new(0, &none, &why), ERR_RANGE);
    assert_null(none);
    assert_int_equal(board_new(SIZE_MAX / 4096, &none, &why), ERR_RANGE);
    assert_int_equal(board_new(INT32_MAX, &none, &why), ERR_RANGE);
}

/* is_mapped - does an address answer? mincore(2) says ENOMEM when not */
static bool
is_mapped(void *at)
{
    unsigned char in;

    return mincore(at, 1, &in) == 0;
}

static void
keep_one(void *arg)
{
    int index = *(int *)arg;
    struct slot *slots[COUNT], *kept = NULL;

    for (int i = 0; i < COUNT; i++)
        slots[i] = board_slot(board, i);
    child_must(board_keep_only(board, index, &kept, NULL) == ERR_OK);
    for (int i = 0; i < COUNT; i++)
        child_must(!is_mapped(slots[i]));
    child_must(is_mapped(kept) && fcntl(board_fd(board), F_GETFD) < 0);
    kept->connections = 42;
}

static void
only_the_own_page_stays(void **state)
{
    (void)state;
    for (int index = 0; index < COUNT; index++) {
        assert_true(child_run(keep_one, &index));
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(board_slot(board, i)->connections,
                             i <= index ? 42 : 0);
    }
}

static void
read_all(void *arg)
{
    (void)arg;
    child_must(board_read_only(board, NULL) == ERR_OK);
    for (int i = 0; i < COUNT; i++)
        child_must(board_slot(board, i)->refused == (unsigned)i);
}

static void
write_one(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    child_must(board_read_only(board, NULL) == ERR_OK);
    board_slot(board, 3)->refused = 1;
}

static void
the_judge_reads_all_and_writes_none(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++)
        board_slot(board, i)->refused = (unsigned)i;
    assert_true(child_run(read_all, NULL));
    assert_int_equal(child_signal(write_one, NULL), SIGSEGV);
}

static void
read_neighbour(void *arg)
{
    struct slot *slot = board_slot(board, 4), *kept;

    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    child_must(board_keep_only(board, 5, &kept, NULL) == ERR_OK);
    if (slot->connections == 0)
        _exit(3);
}

static void
a_neighbour_is_out_of_reach(void **state)
{
    (void)state;
    assert_int_equal(child_signal(read_neighbour, NULL), SIGSEGV);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(slots_are_given_once),
        TEST(numbers_outside_are_no_slot),
        TEST(impossible_counts_are_refused),
        TEST(only_the_own_page_stays),
        TEST(a_neighbour_is_out_of_reach),
        TEST(the_judge_reads_all_and_writes_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
